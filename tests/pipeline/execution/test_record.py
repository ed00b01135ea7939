"""An input that is edited while its stage runs: dvc.lock and the run-cache say what the result was made from."""

import json
from pathlib import Path

import pytest

from pipeline.execution.runner import Runner
from pipeline.repository.lock import read_lock
from stages.parent import INPUTS_READ
from tests.pipeline import toy

DVC_YAML = """\
stages:
  train:
    cmd: python work.py
    deps: [input, code.txt]
    params: [train.rate]
    outs: [out.txt]
"""
WORK = f"""\
import json, os, pathlib, shutil, time
inputs = ["params.yaml", "code.txt", *sorted(map(str, pathlib.Path("input").iterdir()))]
for step in json.loads(pathlib.Path("steps.json").read_text()):
    if step == "read":
        read = [pathlib.Path(path).read_text() for path in inputs]
    elif step == "tell":
        pathlib.Path(os.environ["{INPUTS_READ}"]).touch()
    else:  # what a person does meanwhile
        time.sleep(0.05)
        shutil.copytree("edited", ".", dirs_exist_ok=True)
        time.sleep(0.05)
pathlib.Path("out.txt").write_text(repr(read))
"""
FILES = {
    "dvc.yaml": DVC_YAML,
    "params.yaml": "train: {rate: 1}\nother: 1\n",
    "work.py": WORK,
    "code.txt": "one",
    "input/a.txt": "a",
    ".gitignore": "/out.txt\n/.retune/\n/edited/\n/steps.json\n",
}
EDITS = {  # file -> its content from then on; whether that is a change of the stage's inputs
    "a parameter": ({"params.yaml": "train: {rate: 2}\nother: 1\n"}, True),
    "a file": ({"code.txt": "two"}, True),
    "a file in a folder": ({"input/a.txt": "b"}, True),
    "a new file in a folder": ({"input/b.txt": "b"}, True),
    "a parameter and a file": ({"params.yaml": "train: {rate: 2}\nother: 1\n", "code.txt": "two"}, True),
    "a parameter of another stage": ({"params.yaml": "train: {rate: 1}\nother: 2\n"}, False),
    "a file of no stage": ({"note.txt": "two"}, False),
    "nothing": ({}, False),
}
ORDERS = {  # whether the result is of the inputs as they were at the start
    "after the stage has read it": (["read", "tell", "edit"], True),
    "before the stage reads it": (["edit", "read", "tell"], False),
    "in a stage that does not tell": (["read", "edit"], False),
}


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def state(root: Path) -> str:
    return Runner(root).plan()[0].state


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    write(root, FILES)
    toy.git(root, "init", "-q", "-b", "main")
    toy.dvc(root, "init", "-q")
    toy.git(root, "add", "-A")
    toy.git(root, "commit", "-qm", "one stage")
    monkeypatch.setenv("PATH", toy.environment()["PATH"])
    return root


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("edit", EDITS)
def test_a_result_is_recorded_for_what_it_was_made_from(project: Path, edit: str, order: str) -> None:
    files, is_input = EDITS[edit]
    steps, is_known = ORDERS[order]
    write(project / "edited", files)
    (project / "edited").mkdir(exist_ok=True)
    (project / "steps.json").write_text(json.dumps(steps))
    runner, lines = Runner(project), list[str]()
    runner.plan()
    assert runner.start_ready() == ["train"]
    outcome = runner.run("train", lines.append)
    assert outcome.error is None
    said = [line for line in lines if line.startswith("Edited while train ")]
    assert len(said) == is_input
    if not is_input:
        assert state(project) == "fresh"
        return
    assert ("train" in read_lock(project)) == is_known
    assert state(project) == "runs", "nothing has run with the inputs as they are now"
    toy.git(project, "checkout", "-q", ".")
    toy.git(project, "clean", "-qfd", "--exclude=dvc.lock")
    assert state(project) == ("fresh" if is_known else "runs")
    (project / "dvc.lock").unlink(missing_ok=True)
    assert state(project) == ("restored" if is_known else "runs")
    if is_known:
        assert "is cached" in toy.dvc(project, "repro"), "DVC finds it in the run-cache, too"
        assert "rate: 1" in (project / "out.txt").read_text()


def test_the_next_plan_of_the_run_goes_on_with_the_edited_input(project: Path) -> None:
    write(project / "edited", EDITS["a parameter"][0])
    (project / "steps.json").write_text(json.dumps(["read", "tell", "edit"]))
    runner, ran = Runner(project), []
    runner.plan()
    while stages := runner.start_ready():
        ran += stages
        runner.finished(stages[0], runner.run(stages[0], lambda _: None))
    assert ran == ["train", "train"]
    assert "rate: 2" in (project / "out.txt").read_text()
    assert state(project) == "fresh"
