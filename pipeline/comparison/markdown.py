"""The comparison as a comment in a pull request: the verdict first, details folded, nothing from the data set live."""

import json
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.comparison import wording
from pipeline.comparison.flips import Example, Group
from pipeline.comparison.verdicts import MetricRow

if TYPE_CHECKING:
    from pipeline.comparison.compare import Comparison

SIGNS = {"better": "🟢", "worse": "🔴", "mixed": "🟠", "within noise": "⚪", "identical": "⚪", "unknown": "⚪"}
TEXT, NAME = 200, 60  # characters of a text and of a name that are shown
ROWS = 15  # of a table about classes, slices or stages
PARAMS = 40
LIVE = "&<>|`*_[]~\\#@!$"  # signs that can begin or end markup, a mention, a formula
LINKS = ".:"  # and those without which nothing becomes an address or an emoji
MOST = 60_000  # characters; GitHub takes 65,536


def render(found: "Comparison") -> str:
    """Return the comment."""
    title = escape(wording.changes_title(found.changes))
    parts = [
        f"### {SIGNS[found.verdict]} {escape(wording.verdict(found))}",
        f"{code(found.base)} → {code(found.head)}{_rows(found)}. What changed: {title}.",
        *_gate(found),
        _metrics(found.headline, found.confidence),
        *_notes(found.notes),
        _fold(f"What changed: {title}", _changes(found)),
        *_moved(found),
        _fold("Calibration, before and after", _calibration(found)),
        _fold("Cost", _cost(found)),
        _fold("All metrics", _metrics(found.metrics, found.confidence)),
        _fold("How to read this", _legend(found)),
    ]
    return "\n\n".join(_fit([part for part in parts if part]))


def _fit(parts: list[str]) -> list[str]:
    """Empty the longest folded parts until the comment is short enough to be posted."""
    while sum(map(len, parts)) > MOST:
        longest = max(range(len(parts)), key=lambda index: len(parts[index]) * parts[index].startswith("<details>"))
        title = parts[longest].partition("</summary>")[0].removeprefix("<details><summary>")
        parts[longest] = f"{title} (too long for a comment: see `retune compare --json`)"
    return parts


def escape(sentence: str, *, limit: int = 400) -> str:
    """Return a sentence of ours as Markdown; what it quotes can't become markup."""
    return _visible(wording.shorten(sentence, limit)).translate(_references(LIVE))


def code(text: Any, *, limit: int = NAME) -> str:
    """Return a text of anybody's as code that shows it and does nothing else.

    Every sign that Markdown or HTML could act on becomes a character reference, which can't begin a link, a table
    cell or a tag; in code GitHub looks for no mentions and no numbers of issues. Characters that steer the direction
    of writing or can't be seen are shown as �.
    """
    return f"<code>{_visible(wording.shorten(str(text), limit)).translate(_references(LIVE + LINKS))}</code>"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> str:
    """Return a table; cells are Markdown already."""
    numbers = set(right)
    rule = ["---:" if column in numbers else "---" for column in range(len(headings))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [headings, rule, *rows])


def _references(signs: str) -> dict[int, str]:
    return {ord(sign): f"&#{ord(sign)};" for sign in signs}


def _visible(text: str) -> str:
    """Show control and format characters as �; the two joiners stay, because emoji and some scripts need them."""
    hidden = ("Cc", "Cf", "Cs", "Co")
    return "".join("�" if unicodedata.category(c) in hidden and c not in "\u200c\u200d" else c for c in text)


def _rows(found: "Comparison") -> str:
    return f", {found.test_rows:,} test rows" if found.test_rows else ""


def _gate(found: "Comparison") -> list[str]:
    if not found.gate:
        return []
    lines = [f"- {'✅' if result.passed else '❌'} {code(result.rule)}: {escape(result.why)}" for result in found.gate]
    return [f"**The gate {'is passed' if found.passed else 'fails'}**", "\n".join(lines)]


def _metrics(rows: Sequence[MetricRow], confidence: float) -> str:
    cells = [
        [
            code(row.name),
            f"{row.base:.3f}",
            f"{row.head:.3f}",
            f"{row.difference:+.3f}",
            wording.interval(row),
            f"`{strip}`",
            f"**{row.verdict}**" if row.verdict in ("better", "worse") else row.verdict or "",
            "" if row.smallest is None else f"{row.smallest:.3f}",
        ]
        for row, strip in zip(rows, wording.strips(rows), strict=True)
    ]
    headings = ["metric", "base", "head", "difference", f"{confidence:.0%} interval", "around 0", "verdict"]
    return table([*headings, "smallest that could show"], cells, right=(1, 2, 3, 7))


def _notes(notes: Sequence[str]) -> list[str]:
    return ["\n".join(f"- {escape(note)}" for note in notes)] if notes else []


def _changes(found: "Comparison") -> str:
    changes, parts = found.changes, []
    if changes.params:
        shown, more = wording.at_most(changes.params.items(), PARAMS)
        parts.append(
            table(["parameter", "base", "head"], [[code(key), _value(old), _value(new)] for key, (old, new) in shown])
        )
        parts += [f"and {more} more parameters"] if more else []
    for stage, files in changes.code.items():
        shown, more = wording.at_most(files, ROWS)
        parts.append(f"Code of {code(stage)}: {', '.join(map(code, shown))}{f' and {more} more' if more else ''}")
    kinds = [(what, counts) for what, counts in wording.row_changes(changes) if counts]
    if kinds:
        rows = [
            [what, code(name), f"{count:,}"]
            for what, counts in kinds
            for name, count in wording.at_most(counts.items(), ROWS)[0]
        ]
        parts.append(table(["rows", "class", "number"], rows, right=(2,)))
    before, after = changes.data.rows
    if not changes.data.known:
        parts.append(f"The data set of one side can't be had: rows {before or '?'} → {after or '?'}, no more is known.")
    if changes.models:
        shown, more = wording.at_most(wording.models_line(changes.models), ROWS)
        parts.append(f"Models: {', '.join(map(code, shown))}{f' and {more} more' if more else ''}")
    return "\n\n".join(parts) or "Nothing."


def _value(value: Any) -> str:
    return code(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), limit=80)


def _moved(found: "Comparison") -> list[str]:
    moved = found.moved
    if moved is None:
        return []
    title = f"What moved: {moved.fixed:,} rows fixed, {moved.broken:,} broken, {moved.wrong:,} wrong in both"
    if not moved.fixed + moved.broken:
        return [f"{title}."]
    parts = [
        "Predictions of the two champions, the models that the reports took.",
        _groups("class", moved.classes),
        _groups("slice", [group for group in moved.slices if group.fixed + group.broken]),
        _examples("Fixed: the largest gains in the probability of the given label", moved.best),
        _examples("Broken: the largest losses", moved.worst),
    ]
    return [_fold(title, "\n\n".join(part for part in parts if part))]


def _groups(title: str, groups: Sequence[Group]) -> str:
    shown, more = wording.at_most(groups, ROWS)
    most = max((max(group.fixed, group.broken) for group in shown), default=0)
    rows = [
        [
            code(group.name),
            f"{group.rows:,}",
            f"{group.fixed:,} {wording.bar(group.fixed, most)}",
            f"{group.broken:,} {wording.bar(group.broken, most)}",
        ]
        for group in shown
    ]
    if more:
        rows.append([f"and {more} more", "", "", ""])
    return table([title, "rows", "fixed", "broken"], rows, right=(1,)) if rows else ""


def _examples(title: str, examples: Sequence[Example]) -> str:
    if not examples:
        return ""
    texts = any(example.text is not None for example in examples)
    rows = [
        [code(one.id), code(one.label), f"{code(one.base)} → {code(one.head)}", f"{one.gain:+.2f}"]
        + ([code(one.text or "", limit=TEXT)] if texts else [])
        for one in examples
    ]
    headings = ["id", "given", "predicted", "gain", *(["text"] if texts else [])]
    return f"**{title}**\n\n{table(headings, rows, right=(3,))}"


def _calibration(found: "Comparison") -> str:
    rows = [
        [name, f"{base:.4f}", f"{head:.4f}", f"{head - base:+.4f}"] for name, (base, head) in found.calibration.items()
    ]
    text = "Of the champions, on the compared test rows; smaller is better."
    return f"{text}\n\n{table(['', 'base', 'head', 'difference'], rows, right=(1, 2, 3))}" if rows else ""


def _cost(found: "Comparison") -> str:
    shown, more = wording.at_most(found.costs, 2 * ROWS)
    rows = [
        [code(cost.stage), *map(wording.seconds, cost.seconds), *map(wording.megabytes, cost.memory_mb)]
        for cost in shown
    ]
    sizes = [None if size is None else size / 1e6 for size in found.model_bytes]
    parts = [table(["stage", "base", "head", "memory, base", "head"], rows, right=(1, 2, 3, 4)) if rows else ""]
    parts += [f"and {more} more stages" if more else ""]
    parts += [f"Size of the model: {' → '.join(map(wording.megabytes, sizes))}" if any(sizes) else ""]
    return "\n\n".join(part for part in parts if part)


def _legend(found: "Comparison") -> str:
    return (
        "The difference is head less base, with an interval from resampling test rows in pairs: both sides are "
        "measured on the same rows. A verdict of better or worse is corrected for the number of headline metrics "
        f"(Holm): two models that are equally good get one in at most {1 - found.confidence:.0%} of comparisons. With "
        "several seeds a side, the chance of training is part of the interval. The smallest difference that could "
        "show is one that this test set would reveal 8 times out of 10. In the plots │ is 0 and ● the difference, all "
        "on one scale."
    )


def _fold(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>" if body else ""
