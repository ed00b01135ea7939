"""The comment: GitHub's Markdown must show the texts of the data set, and act on none of them."""

import dataclasses
import html
import string
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.comparison.flips import FlipCount
from pipeline.comparison.gate import RuleResult
from pipeline.comparison.metric_row import MetricRow
from pipeline.comparison.render import markdown, markup
from stages.shown import visible
from tests.pipeline.comparison.builders import comparison

LIMIT = 65_536  # characters of a comment that GitHub accepts
OURS = {"h3", "p", "code", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "details", "summary", "strong"}
HOSTILE = (
    "<script>alert(1)</script> | `x` @someone #1 ![i](http://example.com) </details> $x$ :+1:\n\n# Big\n```\n- [ ]"
)


class Tags(HTMLParser):
    """Collects every tag, and the text between tags."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def parse(text: str) -> Tags:
    tags = Tags()
    tags.feed(MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text))
    return tags


@pytest.mark.parametrize(
    ("rules", "line"),
    [
        ([(False, False)], "### ❌ The gate fails: rule 0: why 0"),
        ([(True, False), (False, False), (False, False)], "### ❌ The gate fails: rule 1: why 1; rule 2: why 2"),
        ([(False, True), (True, False)], "### ❔ The gate can't be decided: rule 0: why 0"),
        ([(False, True), (False, False)], "### ❌ The gate fails: rule 1: why 1"),
        ([(True, False)], "### ✅ The gate passes (1 rule); mixed: test.macro_f1 0.800 -> 0.700, -0.100, 95% interval"),
        ([], "### 🟠 mixed: test.macro_f1 0.800 -> 0.700, -0.100, 95% interval -0.140 to -0.060"),
    ],
)
def test_the_first_line_is_the_decision_and_its_reason(rules: list[tuple[bool, bool]], line: str) -> None:
    gate = [
        RuleResult(f"rule {number}", passed, f"why {number}", open=undecided)
        for number, (passed, undecided) in enumerate(rules)
    ]
    text = markdown.render(dataclasses.replace(comparison("plain"), gate=gate))
    assert html.unescape(text.splitlines()[0]).startswith(line)
    verdict = "mixed: test.macro_f1 0.800 -> 0.700"
    assert html.unescape(text.partition("<details>")[0]).count(verdict) == 1  # said once, whoever decided


def test_what_the_decision_leaves_unsaid_follows_it() -> None:
    plain = comparison("plain")
    rows = [dataclasses.replace(row, verdict="within noise") for row in plain.metrics]
    text = markdown.render(dataclasses.replace(plain, verdict="within noise", metrics=rows, gate=[]))
    assert text.splitlines()[2].startswith("A true difference of 0.050 or more would have been detected")


def test_the_verdict_is_the_second_of_seven_columns() -> None:
    lines = markdown.render(comparison("plain")).splitlines()
    heading = "| metric | verdict | base | head | change | 95% interval | min. detectable |"
    assert lines.count(heading) == 2  # the headline, and all metrics


def test_a_calibration_error_that_is_not_the_reports_says_so() -> None:
    rows = [MetricRow(f"test.{name}", 0.5, 0.6, 0.0, 0.2) for name in ("ece", "calibrated_ece", "brier")]
    text = markdown.render(dataclasses.replace(comparison("plain"), metrics=rows))
    assert "| <code>test&#46;ece</code> as observed |" in text
    assert "| <code>test&#46;calibrated&#95;ece</code> as observed |" in text
    assert "| <code>test&#46;brier</code> |" in text
    unpaired = [dataclasses.replace(row, paired=False) for row in rows]
    assert "as observed |" not in markdown.render(dataclasses.replace(comparison("plain"), metrics=unpaired))


def test_the_rest_is_folded() -> None:
    text = markdown.render(comparison("plain"))
    assert text.index("The gate fails") < text.index("min. detectable") < text.index("<details>")
    assert text.count("<details>") == text.count("</details>") == 6


def test_hostile_texts_are_shown_and_not_run() -> None:
    rendered = markdown.render(comparison(HOSTILE))
    tags = parse(rendered)
    assert set(tags.tags) <= OURS
    assert tags.tags.count("details") == 6
    assert tags.tags.count("h3") == 1
    assert "<script>alert(1)</script> | `x` @someone" in tags.text
    for line in rendered.splitlines():
        assert "@" not in line.replace("&#64;", "")


@pytest.mark.parametrize("text", [HOSTILE, "word " * 100, string.punctuation * 5, "😀" * 300, "a"])
def test_the_comment_fits_whatever_the_data_says(text: str) -> None:
    assert len(markdown.render(comparison(text, many=200))) < LIMIT


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80))
def test_code_shows_the_text_itself(text: str) -> None:
    cell = f"| a | b |\n| --- | --- |\n| {markup.code(text, limit=80)} | end |"
    tags = parse(cell)
    assert tags.tags == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "code", "td"]
    shown = "".join("\ufffd" if visible(sign) == "\ufffd" else sign for sign in " ".join(text.split()))
    assert shown in tags.text


def test_a_part_that_is_too_long_gives_way_to_the_verdict() -> None:
    text = markdown.render(comparison("&<>|#" * 40, many=200))
    assert text.startswith("### ❌ The gate fails")
    assert "too long for a comment: see `retune compare --json`" in text
    assert text.count("<details>") == text.count("</details>") < 6


def test_characters_that_steer_the_direction_of_writing_are_shown() -> None:
    assert "\u202e" not in markup.code("a\u202eb")
    assert "\u200d" in markup.code("👩\u200d💻")  # joins an emoji


def test_every_part_of_a_comparison_is_in_the_comment() -> None:
    text = parse(markdown.render(comparison("plain"))).text
    for words in (
        "plain → plain, 500 test rows. What changed: 1 parameter, code of finetune, 1 row added, 1 row removed",
        "Base is the mean over 2 seeds, head the mean over 3 seeds; the models that ship (seed 1 -> 3), "
        "each on its own rows and labels: test.macro_f1 0.810 -> 0.720.",
        "❌ plain: plain",
        "Predictions: 3 rows fixed, 4 broken, 5 wrong in both",
        "Fixed rows with the largest gain in the probability of their label",
        "Broken rows with the largest loss",
        "Models: plain 0: aaaaaaaa -> none",
        "Size of the model: 90 MB → 80 MB",
        "one is tested only if all before it differ",
    ):
        assert words in " ".join(text.split()), words
    lines = markdown.render(comparison("plain")).splitlines()
    assert "| <code>test&#46;mcc</code> | within noise | 0.600 | 0.610 | +0.010 | -0.040 to +0.060 | 0.070 |" in lines
    assert any(line.startswith("| <code>test&#46;macro&#95;f1</code> | **worse** | 0.800 |") for line in lines)
    assert "| slice of the test rows | rows | fixed | broken |" in lines
    assert "| log loss | 0.100 | 0.200 | +0.100 |" in lines
    assert "| <code>plain 0</code> | 1.0 s | ? | 100 MB | 200 MB |" in lines
    assert "| <code>plain 0</code> | 10 | 3 █████████ | 4 ████████████ |" in lines


def test_names_of_slices_are_told_apart_by_their_ends() -> None:
    plain = comparison("plain").flips
    assert plain is not None
    ends = [FlipCount(f"slice:page {'a' * 60}{end}", 10, 3, 4) for end in ("first", "second")]
    text = markdown.render(dataclasses.replace(comparison("plain"), flips=dataclasses.replace(plain, slices=ends)))
    assert "first</code>" in text
    assert "second</code>" in text


def test_a_comparison_of_intervals_alone_says_what_is_unknown() -> None:
    plain = comparison("plain")
    data = dataclasses.replace(plain.changes.data, known=False, rows=(1200, None))
    changes = dataclasses.replace(plain.changes, data=data)
    text = markdown.render(dataclasses.replace(plain, flips=None, test_rows=None, gate=[], changes=changes))
    assert "Only the numbers of rows are known: 1,200 → ?." in text
    assert "rows unknown" in text
    assert "test rows" not in text.partition("<details>")[0]
    assert "Predictions:" not in text
    assert "gate" not in text


def test_without_a_flip_there_is_one_line_and_no_table() -> None:
    flips = dataclasses.replace(comparison("plain").flips, fixed=0, broken=0)  # type: ignore[type-var]
    text = markdown.render(dataclasses.replace(comparison("plain"), flips=flips))
    assert "\nPredictions: 0 rows fixed, 0 broken, 5 wrong in both.\n" in text
    assert "wrong in both</summary>" not in text
