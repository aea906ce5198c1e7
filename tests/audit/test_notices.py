"""THIRD_PARTY_NOTICES.md lists what is deployed, with the licenses of the locked versions."""

import sys
from pathlib import Path

import pytest

from audit.notices import notices


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="other versions are locked for 3.13")
def test_the_notices_are_up_to_date(project: Path):
    lock = (project / "requirements.txt").read_text(encoding="utf-8")
    written = (project / "THIRD_PARTY_NOTICES.md").read_text(encoding="utf-8")
    assert written == notices(lock), "run 'make notices'"


def test_a_package_that_is_neither_installed_nor_known_is_an_error():
    with pytest.raises(LookupError):
        notices("no-such-package-anywhere==1.0 \\\n")
