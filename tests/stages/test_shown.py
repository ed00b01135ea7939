"""Texts of the data as people see them: nothing hidden, nothing that a spreadsheet computes."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.shown import shorten, spreadsheet_safe, spreadsheet_unsafe, visible

SIGNS = "=+-@\t\n\r\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
LEADS = [
    "",
    " ",
    "  ",
    "\u00a0",
    "\u3000",
    '"',
    "'",
    "''",
    "\u201c",
    "\u2019",
    "`",
    "\ufeff",
    "\u200b",
    "\x00",
    "\x0b",
    "\u202e",
    '" ',
]


@pytest.mark.parametrize("sign", SIGNS, ids=ascii)
@pytest.mark.parametrize("lead", LEADS, ids=ascii)
def test_what_begins_a_formula_gets_an_apostrophe(lead: str, sign: str) -> None:
    for rest in ("cmd|'/c calc'!A0", "1+1", "SUM(A1)", ""):
        assert spreadsheet_safe(f"{lead}{sign}{rest}").startswith(f"'{lead}{sign}")


@pytest.mark.parametrize("separator", [";", "\t", "\n", "\r", "\r\n"], ids=ascii)
@pytest.mark.parametrize("sign", "=+-@", ids=ascii)
def test_no_part_of_a_cell_is_a_formula_to_a_program_with_another_separator(separator: str, sign: str) -> None:
    assert spreadsheet_safe(f"a{separator}{sign}1+1") == f"a{separator}'{sign}1+1"
    assert spreadsheet_safe(f'a{separator} "{sign}1+1') == f"a{separator}' \"{sign}1+1"


@pytest.mark.parametrize("number", ["0", "-0.5", "+3", "1e-5", "-1E+10", "-.5", "-1,000.25", "+1.000,25"])
def test_numbers_stay_numbers(number: str) -> None:
    assert spreadsheet_safe(number) == number


@pytest.mark.parametrize(
    "text",
    ["", "good", "a-b", "a = b", "x@y.org", "it's", "'quoted'", '"quoted"', "5 - 3", "a, -b", "é", "a;b", "a\nb"],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert spreadsheet_safe(text) == text


CELLS = st.text(st.sampled_from("=+-@\t\n\r;'\" 0.5eax\uff1d\u200b,"), max_size=12) | st.text()


@given(CELLS)
def test_the_text_comes_back_without_the_apostrophes(text: str) -> None:
    assert spreadsheet_unsafe(spreadsheet_safe(text)) == text


@given(CELLS)
def test_a_text_that_is_no_safe_form_stays(text: str) -> None:
    assert spreadsheet_unsafe(text) == text or spreadsheet_safe(spreadsheet_unsafe(text)) == text


@given(CELLS)
def test_no_cell_begins_a_formula(text: str) -> None:
    first = spreadsheet_safe(text)[:1]
    assert first not in {"=", "@", "\t", "\n", "\r"}
    assert first not in {"+", "-"} or spreadsheet_safe(text) == text


HIDING = [
    "\0",
    "\x07",
    "\x1b",
    "\x7f",
    "\x85",
    "\x9b",
    "\u202a",
    "\u202e",
    "\u2066",
    "\u2069",
    "\u200e",
    "\ufeff",
    "\ue000",
    "\udcff",
]


@pytest.mark.parametrize("sign", HIDING, ids=ascii)
def test_what_hides_or_acts_is_shown(sign: str) -> None:
    assert visible(f"a{sign}b") == "a�b"


@given(st.text())
def test_all_else_stays(text: str) -> None:
    shown = visible(text)
    assert visible(shown) == shown
    for before, after in zip(text, shown, strict=True):
        kept = before in "\t\n\r\u200c\u200d" or unicodedata.category(before) not in ("Cc", "Cf", "Cs", "Co")
        assert after == (before if kept else "�")


def test_long_texts_are_cut_to_one_line() -> None:
    assert shorten("a\n b" * 99, 10) == "a ba ba b…"
    assert shorten("a\n b", 4) == "a b"
