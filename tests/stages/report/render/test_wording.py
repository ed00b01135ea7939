"""Numbers, plurals and names are written by one function each, in every template of the report."""

import re

import pytest

from stages.messages import counted, noun
from stages.metrics.failures import describe_failures
from stages.report.render.formats import curve_value, format_number, format_shown, format_signed, percent
from stages.report.render.glossary import NAMES, inline_name
from stages.report.render.page import TEMPLATES, environment

TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(TEMPLATES.glob("*.j2"))}
COUNTED = "row|token|text|duplicate|label|decision"


@pytest.mark.parametrize("name", TEXTS)
def test_a_template_has_no_format_and_no_plural_of_its_own(name: str) -> None:
    text = re.sub(r'"%g%%" \| format', "", TEXTS[name])  # the confidence
    of_size = r'"%\.1f" \| format\(provenance\.weights_mb\)'
    assert not re.findall(r'"%[^"]*" \| format', re.sub(of_size, "", text))
    assert not re.findall(rf"\| thousands }}}} (?:distinct )?(?:{COUNTED})s\b", text)
    assert not re.findall(
        r'num\("(?:mistakes|suspects)", "\w+"\) }} (?:{{ split }} )?(?:rows|labels) (?:are|have)\b', text
    )


@pytest.mark.parametrize("value", [-51.18, -0.588, -1e-9, -1234.5])
def test_a_minus_is_no_hyphen_whatever_writes_the_number(value: float) -> None:
    written = [
        format_shown(value),
        format_signed(value),
        format_number({"a": value}, "a"),
        format_number({"expected": value}, "expected"),
        curve_value(value, "val_loss"),
        environment().from_string("{{ x | value }}").render(x=value),
        environment().from_string("{{ x | thousands }}").render(x=value),
    ]
    assert not [text for text in written if "-" in text]
    assert "−0.000" not in written


def test_a_sentence_on_failure_has_the_minus_of_its_document() -> None:
    lead = {"value": 0.2, "difference": -0.1, "low": -0.3, "high": -0.05}
    report = {"metric": "mcc", "seeds": [1], "champion": {"seed": 1}, "baselines": {"majority": {"mcc": lead}}}
    (sentence,) = describe_failures(report, show=format_shown)
    assert "−0.300 to −0.050" in sentence


@pytest.mark.parametrize(("count", "expected"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1_200, "1,200 rows")])
def test_one_row_is_no_rows(count: int, expected: str) -> None:
    written = environment().from_string("{{ n | counted('row') }}, {{ n | noun('row') }}").render(n=count)
    assert written == f"{expected}, {expected.split()[1]}"
    assert (counted(count, "row"), noun(count, "row")) == (expected, expected.split()[1])


@pytest.mark.parametrize("metric", NAMES)
def test_within_a_sentence_a_name_has_no_capital_that_is_not_its_own(metric: str) -> None:
    name, first = inline_name(metric), inline_name(metric).split()[0]
    assert name.lower() == NAMES[metric].lower()
    assert first.islower() or first in ("Cohen's", "Brier", "Pearson", "Spearman") or not first[1:].islower()


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, "0.0%"), (770 / 22_566_146, "0.003%"), (0.5, "50.0%"), (0.99999, "99.999%"), (1.0, "100.0%")],
)
def test_a_small_share_is_not_none(share: float, expected: str) -> None:
    assert percent(share) == expected


@pytest.mark.parametrize(
    ("template", "row"), [("report.html.j2", "mistake"), ("report.md.j2", "mistake"), ("report.html.j2", "suspect")]
)
def test_a_long_label_is_cut_in_a_table_of_rows(template: str, row: str) -> None:
    assert re.search(rf"{{{{ {row}\.label \| short", TEXTS[template])
    assert not re.search(rf"{{{{ {row}\.(?:label|predicted|suggested)(?: \| md)? }}}}", TEXTS[template])
    assert environment().from_string("{{ x | short }}").render(x="ab " * 60) == ("ab " * 20)[:59] + "…"
