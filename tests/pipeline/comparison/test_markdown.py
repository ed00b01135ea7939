"""The comment: GitHub's Markdown must show what the data set says, and do nothing of it."""

import string
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.comparison import markdown, terminal, wording
from pipeline.comparison.changes import Changes, DataChange
from pipeline.comparison.compare import Comparison, Cost
from pipeline.comparison.flips import Example, Group, Moved
from pipeline.comparison.gate import RuleResult
from pipeline.comparison.verdicts import MetricRow

LIMIT = 65_536  # characters of a comment that GitHub takes
OURS = {"h3", "p", "code", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "details", "summary", "strong"}
HOSTILE = (
    "<script>alert(1)</script> | `x` @someone #1 ![i](http://example.com) </details> $x$ :+1:\n\n# Big\n```\n- [ ]"
)


class Tags(HTMLParser):
    """Every tag, and the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def parse(text: str) -> Tags:
    found = Tags()
    found.feed(MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text))
    return found


def comparison(text: str, *, many: int = 1) -> Comparison:
    """A comparison in which everything that is not ours says `text`."""
    names = [f"{text} {number}" for number in range(many)]
    rows = [
        MetricRow("test.macro_f1", 0.8, 0.7, -0.14, -0.06, 0.001, "worse", 0.05),
        MetricRow("test.mcc", 0.6, 0.61, -0.04, 0.06, 0.7, "within noise", 0.07),
    ]
    examples = [Example(name, text, text, text, 0.5, text * 20) for name in names[:10]]
    groups = [Group(name, 10, 3, 4) for name in names]
    return Comparison(
        base=text,
        head=text,
        verdict="mixed",
        confidence=0.95,
        notes=[text],
        changes=Changes(
            params={name: (text, [text]) for name in names},
            code={"finetune": names},
            data=DataChange(True, (1, 2), *(dict.fromkeys(names, 1) for _ in range(4))),
            models=dict.fromkeys(names, ("a" * 32, None)),
        ),
        test_rows=500,
        metrics=rows,
        moved=Moved(3, 4, 5, groups, groups, examples, examples),
        calibration={"log loss": (0.1, 0.2)},
        costs=[Cost(name, (1.0, None), (100, 200)) for name in names],
        model_bytes=(90_000_000, 80_000_000),
        gate=[RuleResult(text, False, text)],
    )


def test_it_begins_with_the_verdict_and_folds_the_rest() -> None:
    lines = markdown.render(comparison("plain")).splitlines()
    assert lines[0].startswith("### 🟠 mixed: test.macro")
    text = "\n".join(lines)
    assert text.index("The gate fails") < text.index("smallest that could show") < text.index("<details>")
    assert text.count("<details>") == text.count("</details>") == 6


def test_hostile_texts_are_shown_and_not_run() -> None:
    rendered = markdown.render(comparison(HOSTILE))
    found = parse(rendered)
    assert set(found.tags) <= OURS
    assert found.tags.count("details") == 6
    assert found.tags.count("h3") == 1
    assert "<script>alert(1)</script> | `x` @someone" in found.text
    for line in rendered.splitlines():
        assert "@" not in line.replace("&#64;", "")


@pytest.mark.parametrize("text", [HOSTILE, "word " * 100, string.punctuation * 5, "😀" * 300, "a"])
def test_the_comment_fits_whatever_the_data_says(text: str) -> None:
    assert len(markdown.render(comparison(text, many=200))) < LIMIT


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80))
def test_code_shows_the_text_itself(text: str) -> None:
    cell = f"| a | b |\n| --- | --- |\n| {markdown.code(text, limit=80)} | end |"
    found = parse(cell)
    assert found.tags == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "code", "td"]
    shown = "".join("\ufffd" if markdown._visible(sign) == "\ufffd" else sign for sign in " ".join(text.split()))
    assert shown in found.text


def test_a_part_that_is_too_long_gives_way_to_the_verdict() -> None:
    text = markdown.render(comparison("&<>|#" * 40, many=200))
    assert text.startswith("### 🟠 mixed")
    assert "too long for a comment: see `retune compare --json`" in text
    assert text.count("<details>") == text.count("</details>") < 6


def test_characters_that_steer_the_direction_of_writing_are_shown() -> None:
    assert "\u202e" not in markdown.code("a\u202eb")
    assert "\u200d" in markdown.code("👩\u200d💻")  # joins an emoji


def test_the_terminal_reads_no_markup_in_data() -> None:
    from rich.console import Console

    for width in (80, 120):
        console = Console(record=True, width=width)
        with console.capture() as captured:
            console.print(terminal.render(comparison("[red]x[/nothing]")))
        assert "[red]x[/nothing]" in captured.get()
        assert ("├" in captured.get()) == (width == 120)


def test_an_interval_is_drawn_around_zero() -> None:
    rows = [MetricRow("test.a", 0.5, 0.6, 0.05, 0.15), MetricRow("test.b", 0.5, 0.4, -0.2, 0.0)]
    first, second = wording.strips(rows)
    assert len(first) == len(second) == wording.STRIP
    assert first[wording.STRIP // 2] == "│"
    assert first.index("├") > wording.STRIP // 2
    assert second[0] == "├"
    assert second.index("●") < wording.STRIP // 2


def test_sentences_for_every_verdict() -> None:
    found = comparison("x")
    rows = found.metrics
    for verdict, words in (
        ("identical", "identical: the same predictions for all 500 test rows"),
        ("worse", "worse: test.macro_f1 0.800 -> 0.700, -0.100, 95% interval -0.140 to -0.060"),
        ("within noise", "a difference of less than 0.050 would mostly go unseen"),
    ):
        assert words in wording.verdict(Comparison(**{**vars(found), "verdict": verdict, "metrics": rows}))
    nothing = Comparison(**{**vars(found), "verdict": "unknown", "metrics": []})
    assert wording.verdict(nothing).startswith("unknown")
