"""Labels that are no classes: numbers with a decimal comma, and sets; the message names what to set."""

import pytest

from stages.download.checks.label_hints import label_hint

HINTS = {  # labels -> what the hint says; empty: they look like classes
    ("-12,1", "45,2", "7"): "write them with a decimal point: -12.1, not -12,1",
    ("45,2", "good"): "",
    ("1", "2", "3"): "",
    ("app", "pay", "app|pay"): "label_separator: '|'",
    ("app", "pay", "staff", "app; pay"): "label_separator: ';'",
    ("app", "pay/app", "pay"): "label_separator: '/'",
    ("yes/no", "yes", "maybe"): "",
    ("good", "bad"): "",
    (): "",
}


@pytest.mark.parametrize("labels", HINTS, ids=str)
def test_what_labels_probably_are(labels: tuple[str, ...]) -> None:
    hint = label_hint(labels)
    assert HINTS[labels] in hint
    assert bool(hint) == bool(HINTS[labels])
