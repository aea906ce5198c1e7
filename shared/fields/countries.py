"""Finds the code of a country by its name.

Mailchimp knows countries by their codes (ISO 3166-1) and by its own English names. It stores any other text as the
default country of the field, usually the USA, and returns no error.
https://mailchimp.com/help/format-contact-addresses/
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

# Languages whose names of countries are known.
_LANGUAGES = (
    *("en", "de", "fr", "es", "it", "pt", "nl", "ko", "ja", "zh", "zh_Hant"),
    *("cs", "da", "el", "fi", "hu", "id", "nb", "pl", "ro", "ru", "sv", "th", "tr", "uk", "vi"),
)
# Codes of two letters that stand for no country: regions, reserved codes, and codes for tests.
_NO_COUNTRY = frozenset(
    ["AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"]
)
# Usual names that the Unicode locale data does not have, such as the short names of ISO 3166-1, former names and Mailchimp's
# own names, which its signup forms list.
_OTHER_NAMES = {
    "AE": "UAE, 아랍에미리트연합",
    "AU": "호주, 豪州, 澳大利亞",
    "AX": "Aaland Islands",
    "BN": "Brunei Darussalam",
    "BO": "Bolivia (Plurinational State of)",
    "BQ": "Bonaire Saint Eustatius and Saba",
    "CD": "Democratic Republic of the Congo, Congo Democratic Republic of the, DR Congo, "
    "콩고민주공화국",
    "CG": "Congo, Republic of the Congo",
    "CI": "Ivory Coast",
    "CN": "People's Republic of China, PR China, PRC, 중화인민공화국, 中华人民共和国, 中華人民共和國, 中華人民共和国",
    "CV": "Cabo Verde",
    "CY": "사이프러스",
    "CZ": "Czech Republic, 체코공화국",
    "DE": "Bundesrepublik Deutschland",
    "FM": "Federated States of Micronesia, Micronesia Federated States of",
    "GB": "Great Britain, Britain, England, Scotland, Wales, Northern Ireland, "
    "United Kingdom of Great Britain and Northern Ireland, Großbritannien, Grande-Bretagne, "
    "Gran Bretaña, Gran Bretagna, Grã-Bretanha, Groot-Brittannië, 英国",
    "GE": "그루지야",
    "HK": "Hong Kong, Hongkong, Hong Kong SAR, 홍콩, 香港",
    "IE": "Republic of Ireland, Eire",
    "IR": "Iran Islamic Republic of, Islamic Republic of Iran",
    "IT": "이태리",
    "JE": "Jersey (Channel Islands)",
    "JP": "日本国",
    "KG": "Kyrgyz Republic",
    "KP": "Korea Democratic People's Republic of, Democratic People's Republic of Korea, 북한, "
    "조선민주주의인민공화국",
    "KR": "Korea, Republic of Korea, Korea Republic of, Korea South, ROK, 한국, 남한, 韓國, 大韓民国, "
    "大韓民國, 大韩民国",
    "LA": "Lao People's Democratic Republic",
    "MD": "Republic of Moldova, Moldova Republic of",
    "MF": "Saint Martin",
    "MK": "Macedonia, Macedonia the former Yugoslav Republic of",
    "MM": "Burma, 버마",
    "MN": "몽고",
    "MO": "Macao, Macau, Macau SAR, 마카오, 澳門, 澳门",
    "NL": "Holland",
    "PN": "Pitcairn",
    "PS": "Palestine, State of Palestine",
    "RU": "Russian Federation, 러시아연방",
    "SA": "사우디",
    "SG": "싱가폴",
    "SJ": "Svalbard and Jan Mayen Islands",
    "SK": "Slovak Republic",
    "SY": "Syrian Arab Republic",
    "SZ": "Swaziland",
    "TL": "East Timor",
    "TR": "Turkey, 터키",
    "TW": "Taiwan Province of China, 타이완, 臺灣",
    "TZ": "United Republic of Tanzania, Tanzania United Republic of",
    "US": "United States of America, America, 미합중국, 米国, アメリカ",
    "VA": "Holy See, Vatican, Vatican City State, Vatican City State Holy See, 바티칸",
    "VE": "Venezuela (Bolivarian Republic of)",
    "VG": "Virgin Islands British",
    "VI": "Virgin Islands US",
    "VN": "Viet Nam",
    "WS": "Samoa (Independent)",
    "XK": "Republic of Kosovo",
    "ZA": "남아프리카공화국, 남아공",
}
_WORDS = re.compile(r"[^\W_]+")
_IN_PARENTHESES = re.compile(r"\([^()]*\)")


@lru_cache(maxsize=10_000)
def country_code(text: str) -> str | None:
    """The code of a country (ISO 3166-1 alpha-2) that is given as a code or as a name, or None."""
    return _codes().get(_compared(text))


@cache
def _codes() -> dict[str, str]:
    """The codes of countries, by their codes and names in the form that `_compared` gives.

    A name of two different countries is omitted, unless `_OTHER_NAMES` has it.
    """
    from babel import Locale
    from babel.core import get_global

    names: dict[str, set[str]] = {}
    by_locale = [Locale.parse(language).territories for language in _LANGUAGES]
    known = map(str, by_locale[0])
    countries = [code for code in known if len(code) == 2 and code not in _NO_COUNTRY]
    for code in countries:
        given = [each[code] for each in by_locale if code in each]
        for name in (*given, *(_IN_PARENTHESES.sub("", name) for name in given)):
            names.setdefault(_compared(name), set()).add(code)
    found = {name: codes.pop() for name, codes in names.items() if name and len(codes) == 1}
    for code, others in _OTHER_NAMES.items():
        found.update((_compared(name), code) for name in others.split(", "))
    # A code of three letters, or a reserved one such as UK, belongs to one country.
    for alias, codes in get_global("territory_aliases").items():
        if alias.isalpha() and len(codes) == 1 and codes[0] in countries:
            found[_compared(alias)] = codes[0]
    return found | {_compared(code): code for code in countries}


def _compared(name: str) -> str:
    """The form in which names are compared: without case, accents, punctuation, `and` and `the`."""
    plain = unicodedata.normalize("NFKD", name).casefold().replace("'", "").replace("\u2019", "")
    plain = plain.replace(".", "")
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    words = _WORDS.findall(plain)
    if len(words) > 1:  # AND is the code of Andorra
        words = [word for word in words if word not in {"and", "the"}]
    return "".join("saint" if word == "st" else word for word in words)
