"""The check of a mapping in the form reads sample values as a run would."""

import pytest

from shared.model.audience import MergeField
from shared.segments.choosing.catalogue import AttributeInfo, SegmentSample
from shared.web.pages.exports.form.mapping_rows import mapping_rows


@pytest.mark.parametrize(
    ("kind", "values", "more", "chosen", "expected"),
    [
        ("number", ["1.234", "7"], {}, {}, "1 of 2 are numbers"),
        ("number", ["1.234", "0.5"], {}, {}, "2 of 2 are numbers"),
        ("number", ["1.234", "1.234,5"], {}, {}, "2 of 2 are numbers"),
        ("number", ["1.234", "1.5", "1,5"], {}, {}, "2 of 3 are numbers"),
        ("number", ["1.234"], {"decimal_mark": "comma"}, {}, "1 of 1 are numbers"),
        ("number", ["1.234"], {}, {"decimalMark": "point"}, "1 of 1 are numbers"),
        ("date", ["05/06/1980", "1980-02-29"], {}, {}, "1 of 2 are dates"),
        ("date", ["05/06/1980", "25/06/1980"], {}, {}, "2 of 2 are dates"),
        ("date", ["٠٥/٠٦/١٩٨٠", "\u200e25/06/1980"], {}, {}, "2 of 2 are dates"),
        ("date", ["05/06/1980"], {"date_order": "dayFirst"}, {}, "1 of 1 are dates"),
    ],
)
def test_the_form_of_numbers_and_dates_is_that_of_the_column(
    kind: str,
    values: list[str],
    more: dict[str, str],
    chosen: dict[str, str],
    expected: str,
) -> None:
    entry = {"attribute": "Value", "mergeField": "VALUE", **chosen}
    mapping = {"email": "", "firstName": "", "lastName": "", "attributes": [entry]}
    attributes = [AttributeInfo("Value", "string", None, None, **more)]
    fields = [MergeField(1, "VALUE", "Value", kind, required=False)]
    sample = SegmentSample("Gold", {"Value": values})
    rows = mapping_rows(mapping, attributes, fields, sample, "en")
    assert rows["mapping.attributes[0]"].check == expected
