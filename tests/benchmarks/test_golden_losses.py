"""The comparison of two files of losses, and of the files of two commits."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import golden_losses
from benchmarks.golden_losses import FILE, describe


def losses(*values: float) -> pd.DataFrame:
    return pd.DataFrame({"step": range(1, len(values) + 1), "loss": values})


@pytest.mark.parametrize(
    ("new", "same", "said"),
    [
        (losses(1.0, 0.5, 0.25), True, "the same within 0.01: largest difference 0, at step 1 of 3"),
        (losses(1.0, 0.509, 0.25), True, "largest difference 0.009, at step 2 of 3"),
        (
            losses(1.0, 0.52, 0.3),
            False,
            "2 steps differ by more than 0.01, the first is 2: largest difference 0.05, at",
        ),
        (losses(1.0, 0.5, float("nan")), False, "1 steps differ by more than 0.01, the first is 3"),
        (losses(1.0, 0.5), False, "3 steps and 2 steps"),
    ],
    ids=["equal", "within", "beyond", "not a number", "another number of steps"],
)
def test_what_differs_is_said(new: pd.DataFrame, same: bool, said: str) -> None:
    found, text = describe(losses(1.0, 0.5, 0.25), new, 0.01)
    assert found is same
    assert said in text


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two commits, whose second differs by 0.25, and a working tree that differs by 0.5 more."""
    monkeypatch.setattr(golden_losses, "ROOT", tmp_path)
    (tmp_path / FILE).parent.mkdir()

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    for loss in (1.0, 0.75, 0.25):
        losses(loss).to_csv(tmp_path / FILE, index=False)
        if loss > 0.25:
            git("add", ".")
            git("commit", "-qm", f"loss {loss}")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["HEAD", "HEAD"], 0, "the same within 0.001"),
        (["HEAD~1", "HEAD"], 1, "largest difference 0.25"),
        (["HEAD~1", "HEAD", "--tolerance", "0.3"], 0, "the same within 0.3"),
        (["HEAD"], 1, "largest difference 0.5"),
        (["HEAD~1"], 1, "largest difference 0.75"),
        (["nowhere", "HEAD"], "error: fatal: invalid object name 'nowhere'.", ""),
    ],
)
def test_the_files_of_two_commits_are_compared(
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int | str,
    said: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["golden_losses.py", "compare", *arguments])
    with pytest.raises(SystemExit) as ended:
        golden_losses.main()
    assert ended.value.code == code
    assert said in capsys.readouterr().out
