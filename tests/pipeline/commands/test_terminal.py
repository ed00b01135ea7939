"""The console of all commands: what a path or the data has is shown as it is, in lines and in tables."""

import io

import pytest
from rich.table import Table

from pipeline.commands import terminal

HOSTILE = ["a[/b].csv", "[red]x[/red]", "a:x:b", r"a\[b]"]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("in_terminal", [True, False])
def test_a_text_is_no_markup(
    text: str, in_terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(terminal.console, "_file", shown)
    monkeypatch.setattr(terminal.console, "_force_terminal", in_terminal)
    table = Table(text)
    table.add_row(f"{text} cell")
    terminal.console.print(f"{text} line")
    terminal.show_table(table)
    lines = shown.getvalue() + capsys.readouterr().out
    assert f"{text} line" in lines
    assert f"{text} cell" in lines
    assert lines.count(text) == 3
