import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages.files import read_json
from stages.importing import SPINS
from stages.parent import INPUTS_READ

ROOT = Path(__file__).parents[2]
EDITS = {  # seed of the toy -> what it replaces in params.yaml, and what is said under plain `dvc repro`
    42: (("no such text", "nor this one"), ""),
    5: (("\nseeds:", "\n# a comment\nseeds:"), ""),
    6: (("learning_rate:", "learning_rate: 0.5  #"), "error: finetune in params.yaml was edited while finetune@6 ran"),
    7: (("  learning_rate:", "  learning_rate: -1  #"), "error: params.yaml"),
    8: (("\nseeds: [", "\nseeds: [7, "), "params.yaml was edited while finetune@8 ran"),
    9: (("kept_rows_mb:", "kept_rows_mb: 7  #"), ""),
}
STAGE = '''
"""Toy stage.

Example: python toy.py 42
"""
import os
from pathlib import Path
from stages import entry
from stages.errors import DataError

EDITS = {edits}

def main(params, paths, seed):
    if seed == 1:
        raise DataError("rows.csv row 3:\\nlabel is empty. Give it a label.")
    if seed == 2:
        raise ZeroDivisionError("a bug")
    if seed == 3:
        bytearray(1 << 62)
    if seed in EDITS:
        path = Path("params.yaml")
        path.write_text(path.read_text().replace(*EDITS[seed]))
    if seed == 4:
        open("data/tokenize/labels.json")
    return {"train_seconds": 1.5}

entry.run(main, stage="finetune", doc=__doc__, argument=entry.Argument("seed", int))
'''.replace("{edits}", repr({seed: edit for seed, (edit, _) in EDITS.items()}))


def toy(folder: Path, *arguments: str, options: tuple[str, ...] = (), **more: str) -> subprocess.CompletedProcess[str]:
    (folder / "toy.py").write_text(STAGE)
    (folder / "params.yaml").write_text((ROOT / "recipes/default.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    return subprocess.run(
        [sys.executable, *options, "toy.py", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "", **more},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_good_end_writes_timing(tmp_path: Path) -> None:
    assert toy(tmp_path, "42").returncode == 0
    timing = read_json(tmp_path / "data/timing/finetune@42.json")
    assert list(timing) == ["seconds", "peak_memory_mb", "train_seconds"]
    assert timing["seconds"] > 0
    assert timing["peak_memory_mb"] > 1
    assert timing["train_seconds"] == 1.5


def test_an_error_of_ours_is_one_line(tmp_path: Path) -> None:
    done = toy(tmp_path, "1")
    assert done.returncode == 1
    assert done.stderr == "error: rows.csv row 3: label is empty. Give it a label.\n"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("by", ["a person", "dvc repro", "retune run"])
@pytest.mark.parametrize("seed", EDITS)
def test_params_that_were_edited_meanwhile_are_said_where_nobody_else_looks(tmp_path: Path, by: str, seed: int) -> None:
    told = tmp_path / "read"
    more = {} if by == "a person" else {"DVC_STAGE": f"finetune@{seed}"}
    more |= {INPUTS_READ: str(told)} if by == "retune run" else {}
    done = toy(tmp_path, str(seed), **more)
    (_, new), expected = EDITS[seed]
    assert (new in (tmp_path / "params.yaml").read_text()) == (seed != 42), "it was edited"
    said = expected if by == "dvc repro" else ""
    assert done.returncode == said.startswith("error"), done.stderr
    assert said in done.stderr if said else not done.stderr
    assert (tmp_path / f"data/timing/finetune@{seed}.json").exists(), "the result is whole, for: dvc commit"
    assert told.exists() == (by == "retune run")


def test_a_full_memory_is_one_line_and_the_stage_s_own_error(tmp_path: Path) -> None:
    done = toy(tmp_path, "3")
    assert done.returncode == 1
    assert done.stderr == (
        "error: finetune@3 ran out of memory (MemoryError). "
        "Lower finetune.batch_size or tokenize.max_length or use a machine with more memory.\n"
    )


def test_a_bug_keeps_its_traceback(tmp_path: Path) -> None:
    done = toy(tmp_path, "2")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError: a bug" in done.stderr


def test_help_shows_the_docstring(tmp_path: Path) -> None:
    done = toy(tmp_path, "--help")
    assert done.returncode == 0
    assert "Example: python toy.py 42" in done.stdout


@pytest.mark.parametrize("arguments", [(), ("x",), ("1", "2")])
def test_wrong_arguments_exit_with_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert toy(tmp_path, *arguments).returncode == 2


def test_an_output_of_an_earlier_stage_that_is_missing_is_one_line(tmp_path: Path) -> None:
    done = toy(tmp_path, "4")
    assert done.stderr == "error: data/tokenize/labels.json is missing. Make it with: dvc repro (or dvc pull)\n"


def test_a_python_without_docstrings_is_named(tmp_path: Path) -> None:
    assert toy(tmp_path, "42", options=("-O",)).returncode == 0
    done = toy(tmp_path, "42", options=("-OO",))
    assert done.returncode == 1
    assert done.stderr.startswith("error: Python drops docstrings (PYTHONOPTIMIZE=2 or -OO), which transformers needs")


NAMED = "import gc, sys\nfrom importlib.machinery import ModuleSpec\n" + (
    "sys.modules['__main__'].__spec__ = ModuleSpec('stages.toy.__main__', None)\n"  # as `python -m stages.toy` does
)
SWALLOWS = """if seed == 1:
        print("ready", flush=True)
        for _ in range(2):
            try:
                time.sleep(60)
            except BaseException:
                print("swallowed", flush=True)
    if seed == 1:"""


def interruptible(folder: Path, *, ignored: bool) -> subprocess.Popen[str]:
    """Start a stage in a library's code that swallows any exception."""
    (folder / "toy.py").write_text(NAMED + "import time\n" + STAGE.replace("if seed == 1:", SWALLOWS))
    (folder / "params.yaml").write_text((ROOT / "recipes/default.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if ignored else None  # as `nohup` and `&` of a shell
    try:
        return subprocess.Popen(
            [sys.executable, "toy.py", "1"],
            cwd=folder,
            env={"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        if ignored:
            signal.signal(signal.SIGINT, before)


def test_an_interrupt_ends_a_stage_at_once_whatever_it_is_doing(tmp_path: Path) -> None:
    process = interruptible(tmp_path, ignored=False)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == -signal.SIGINT


def test_a_stage_that_is_to_ignore_interrupts_does(tmp_path: Path) -> None:
    process = interruptible(tmp_path, ignored=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.kill()
    assert process.communicate() == ("", "")


def test_the_garbage_collector_rests_while_a_stage_is_imported_and_no_longer(tmp_path: Path) -> None:
    imported = "assert not gc.isenabled(), 'works in imports'\n"
    working = STAGE.replace("if seed == 1:", "assert gc.isenabled(), 'rests in the work'\n    if seed == 1:")
    (tmp_path / "params.yaml").write_text((ROOT / "recipes/default.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "toy.py").write_text(NAMED + working.replace("\nentry.run", f"\n{imported}entry.run"))
    command = [sys.executable, "toy.py", "42"]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_program_that_imports_a_stage_keeps_its_garbage_collector() -> None:
    code = "import gc, stages.split.__main__; assert gc.isenabled()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# prints how OpenMP's threads wait, as torch finds it when it is imported; nothing if it never is
WAITING = """
import os, runpy, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print("torch:", os.environ.get("GOMP_SPINCOUNT"))
sys.meta_path.insert(0, Finder())
sys.argv = ["stage", "--help"]
runpy.run_module("stages." + os.environ["STAGE"], run_name="__main__", alter_sys=True)
"""


def torch_finds(stage: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", WAITING],
        env={"PYTHONPATH": str(ROOT), "STAGE": stage, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return next((line for line in done.stdout.splitlines() if line.startswith("torch:")), "")


@pytest.mark.parametrize("stage", YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"])
def test_threads_of_every_stage_soon_let_others_have_their_core(stage: str) -> None:
    assert torch_finds(stage) in ("", f"torch: {SPINS}")


def test_a_person_says_how_threads_wait() -> None:
    assert torch_finds("finetune") == f"torch: {SPINS}"
    assert torch_finds("finetune", GOMP_SPINCOUNT="7") == "torch: 7"
    assert torch_finds("finetune", OMP_WAIT_POLICY="active") == "torch: None"
