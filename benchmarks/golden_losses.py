"""The loss of each training step of the bundled task, kept in golden_losses.csv, so that a change of them is seen.

`write` trains as the default recipe says (CPU, one thread, dropout on) and writes the file; `check` trains and compares
with the file; `compare` trains nothing, and compares the file of two commits (the second: the working tree, if left
out). `check` and `compare` exit with code 1 where a step differs by more than the tolerance.

Example: python benchmarks/golden_losses.py check
Example: python benchmarks/golden_losses.py compare main HEAD
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd

ROOT = Path(__file__).parents[1]
FILE = "benchmarks/golden_losses.csv"
SEED = 42
TOLERANCE = 1e-3  # golden_losses.md says why


def main() -> None:
    """Parse the arguments and do what they say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("write", help="train, and write the file")
    for name, text in (("check", "train, and compare with the file"), ("compare", "compare the file of two commits")):
        action = actions.add_parser(name, help=text)
        action.add_argument("--tolerance", type=float, default=TOLERANCE, help="largest difference (default: 1e-3)")
    action.add_argument("old", help="a commit")
    action.add_argument("new", nargs="?", help="another; default: the working tree")
    arguments = parser.parse_args()
    if arguments.action == "write":
        train().to_csv(ROOT / FILE, index=False, float_format="%.7f", lineterminator="\n")
        return
    old, new = (train(), read_file()) if arguments.action == "check" else map(read_file, (arguments.old, arguments.new))
    same, text = describe(old, new, arguments.tolerance)
    print(text)
    sys.exit(not same)


def describe(old: pd.DataFrame, new: pd.DataFrame, tolerance: float) -> tuple[bool, str]:
    """Return whether two lists of losses agree, and a sentence on that.

    Args:
        old, new: Columns step and loss.
        tolerance: Largest difference of a loss.
    """
    if len(old) != len(new):
        return False, f"{len(old)} steps and {len(new)} steps"
    differences = (old.loss - new.loss).abs()
    largest = f"largest difference {differences.max():.2g}, at step {differences.idxmax() + 1} of {len(old)}"
    beyond = differences[~(differences <= tolerance)]  # so that NaN is beyond
    if beyond.empty:
        return True, f"the same within {tolerance:g}: {largest}"
    return (
        False,
        f"{len(beyond)} steps differ by more than {tolerance:g}, the first is {beyond.index[0] + 1}: {largest}",
    )


def read_file(commit: str | None = None) -> pd.DataFrame:
    """Read the file of a commit, or of the working tree."""
    if commit is None:
        return pd.read_csv(ROOT / FILE)
    command = ["git", "show", f"{commit}:{FILE}"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if shown.returncode:
        raise SystemExit(f"error: {shown.stderr.strip()}")
    return pd.read_csv(io.StringIO(shown.stdout))


def train() -> pd.DataFrame:
    """Run the stages up to finetune as the default recipe says, and return the loss of each step."""
    import torch
    from lightning.pytorch.callbacks import LambdaCallback

    from stages.download.__main__ import main as download
    from stages.finetune import train as training
    from stages.finetune.__main__ import main as finetune
    from stages.params import read_params
    from stages.paths import Paths
    from stages.split.__main__ import main as split
    from stages.tokenize.__main__ import main as tokenize

    torch.set_num_threads(1)
    params = read_params(ROOT / "recipes/default.yaml")
    options = params.finetune.model_copy(update={"accelerator": "cpu", "precision": "32"})
    params = params.model_copy(update={"finetune": options})
    losses: list[float] = []
    keep = LambdaCallback(on_train_batch_end=lambda _, __, outputs, *rest: losses.append(float(outputs["loss"])))
    fit: Callable[..., Any] = training.fit
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder))
        (paths.root / "data").mkdir()
        (paths.root / "data/samples").symlink_to(ROOT / "data/samples")
        for item in ("dataset", "model"):
            download(params, paths, item)
        tokenize(params, paths)
        split(params, paths)
        with mock.patch.object(
            training, "fit", lambda *args, callbacks, **kwargs: fit(*args, callbacks=[*callbacks, keep], **kwargs)
        ):
            finetune(params, paths, SEED)
    return pd.DataFrame({"step": range(1, len(losses) + 1), "loss": losses})


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
