"""A key that is equal for the spellings of one label: case, width, blanks, marks of typography, forms of a number."""

import re
from collections.abc import Callable, Iterable

from stages.text_keys import normalise

INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufe0e\ufe0f\ufeff]")
TYPOGRAPHY = str.maketrans(  # one mark in the forms that word processors and fonts give it; no letters
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58\ufe63\uff0d", "-")
    | dict.fromkeys("`\u00b4\u02bc\u2018\u2019\u201a\u201b\u2032\u2035\u2039\u203a\uff07", "'")
    | dict.fromkeys("\u00ab\u00bb\u201c\u201d\u201e\u201f\u2033\u2036\uff02", '"')
    | dict.fromkeys("\u2044\u2215\u29f8", "/")
)
CURRENCY = "$\u00a2\u00a3\u00a5\u20a0-\u20cf"
OPTIONAL_BLANKS = (  # that change nothing where they are left out
    (re.compile(rf"(?<=\d) (?=[%\u2030\u00b0{CURRENCY}])|(?<=[{CURRENCY}]) (?=\d)"), ""),
    (re.compile(r" ?([/&]) ?|(?<=\w) (-) (?=\w)|(?<!\d)(,) |(,) (?!\d)"), r"\1\2\3\4"),
)
WITH_UNIT = re.compile(rf"([{CURRENCY}]?)(.*?)([%\u2030\u00b0{CURRENCY}]?)")
NUMBER = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,4}))?")
GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:([ ,'_])\d{3})(?:\1\d{3})*(?:\.\d*)?")  # 1,000 but not 1,5 or 0,123
GROUPED_BY_POINTS = re.compile(r"[+-]?[1-9]\d{0,2}(?:(?:\.\d{3}){2,}|(?:[. ']\d{3})+,\d+)")  # 1.000 may be 1
DECIMAL_COMMA = re.compile(r"[+-]?(?:0|[1-9]\d*),\d*[1-9]")  # not 1,20, which may be a list of two
LONGEST_NUMBER = 40  # characters; more digits are an id, and no number was written in two forms of it


def spelling_key(label: str) -> str:
    """Return a key that is equal for spellings of one label.

    Such are `Ham` and `ham `; `1`, `1.0`, `01` and `1e0`; `1,000` and `1000`; `5 %` and `5%`; a hyphen and a dash.
    Letters of another alphabet that look alike, other words, and signs (`C`, `C++`; `-1`, `1`) make other labels.
    """
    text = (normalise(typed(INVISIBLE.sub("", label))) or "").translate(TYPOGRAPHY)
    for blank, without in OPTIONAL_BLANKS:
        text = blank.sub(without, text)
    before, number, after = WITH_UNIT.fullmatch(text).groups()  # type: ignore[union-attr]  # it takes every text
    key = _number_key(number)
    return text if key is None else f"{before}{key}{after}"


def by_spelling(labels: Iterable[str]) -> dict[str, str]:
    """Return labels by their keys, without those of which several have the same key."""
    of_key: dict[str, list[str]] = {}
    for label in labels:
        of_key.setdefault(spelling_key(label), []).append(label)
    return {key: alike[0] for key, alike in of_key.items() if len(alike) == 1}


def finder(labels: Iterable[str]) -> Callable[[str], str | None]:
    """Return what finds the label that a text is, or is the only other spelling of; None where there is none."""
    known = set(labels)
    spelled = by_spelling(known)
    return lambda text: text if text in known else spelled.get(spelling_key(text))


def typed(text: str) -> str:
    """Return a text with dashes, quotes and slashes as a keyboard has them."""
    return text.translate(TYPOGRAPHY)


def _number_key(text: str) -> str | None:
    """The digits and the exponent of a decimal number, the same for each of its forms; None for other texts."""
    match = NUMBER.fullmatch(_with_point(text)) if len(text) <= LONGEST_NUMBER else None
    if match is None:
        return None
    sign, whole, part, exponent = match.groups("")
    if not whole + part:
        return None
    digits = str(int(whole + part)).rstrip("0")
    zeros = len(str(int(whole + part))) - len(digits)
    return f"{sign.strip('+')}{digits}e{int(exponent or 0) - len(part) + zeros}" if digits else "0"


def _with_point(number: str) -> str:
    """Return a number without marks between thousands, and with a point for a decimal comma."""
    if GROUPED.fullmatch(number):
        return re.sub("[ ,'_]", "", number)
    if GROUPED_BY_POINTS.fullmatch(number):
        return re.sub("[. ']", "", number).replace(",", ".")
    return number.replace(",", ".") if DECIMAL_COMMA.fullmatch(number) else number
