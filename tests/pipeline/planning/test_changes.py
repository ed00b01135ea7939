"""Each kind of change to the project itself: what the plan names, and what then runs.

The plan names exactly the stages that then run. The one exception is early cut-off: a stage that waits for another is
`pending`, and stays as it is where the other comes out identical; the table says for which rows that is so.

The graph and its first half are the real ones, with a tiny encoder and a small CSV; finetune, evaluate and report are
stood in for by a stage that writes what is declared, from a hash of all that it may read.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.planning.plan import make_plan
from pipeline.recipes import override
from pipeline.repository.project import Project
from stages.corrections import Correction, text_hash, write_corrections
from tests.end_to_end.small_project import VALUES, write_encoder, write_rows
from tests.pipeline import prefect_states, toy

pytestmark = pytest.mark.slow

STAND_IN = '''\
"""Writes the stage's declared outputs from a hash of its inputs."""

import hashlib, json, os
from pathlib import Path
from pipeline.repository.project import Project

with Project(Path.cwd()) as project:
    stage = next(stage for stage in project.graph.stages if stage.name == os.environ["DVC_STAGE"])
    inputs = [project.digest(dep).md5 for dep in stage.deps]
    inputs += [str(project.param(file, key)) for file, keys in stage.params.items() for key in keys]
digest = hashlib.sha256(" ".join(inputs).encode()).hexdigest()
for out in map(Path, stage.outs):
    target = out / "content.txt" if out.name == "model" else out
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"seconds": 1, "digest": digest}) if out.suffix == ".json" else digest)
'''
MODELLING = {"finetune@42", "evaluate@42", "report"}
AFTER_ROWS = {"tokenize", "split", *MODELLING}


def parameter(line: str) -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        text = (root / "params.yaml").read_text(encoding="utf-8")
        (root / "params.yaml").write_text(override(text, [line]), encoding="utf-8")

    return edit


def text(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        content, count = re.subn(old, new, (root / name).read_text(encoding="utf-8"), count=1)
        assert count == 1, f"{old!r} does not stand in {name}"
        (root / name).write_text(content, encoding="utf-8")

    return edit


def decision(name: str, new_label: str = "") -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        row = pq.read_table(root / "data/download/dataset/rows.parquet").slice(0, 1).to_pylist()[0]
        line = Correction(row["id"], text_hash(row["text_key"]), row["label"], name, new_label)
        write_corrections(root / "data/corrections.csv", [line])

    return edit


# what changes                    | how                                                   | what runs
TABLE = [
    ("report section", parameter("report.title=Other"), {"report"}),
    ("evaluate section", parameter("evaluate.confidence=0.9"), {"evaluate@42", "report"}),
    ("finetune section", parameter("finetune.learning_rate=3e-3"), MODELLING),
    ("code of finetune", text("stages/finetune/summary.py", r"\Z", "NOTE = 1\n"), MODELLING),
    ("split section", parameter("split.seed=7"), {"split", *MODELLING}),
    ("tokenize section", parameter("tokenize.max_length=8"), AFTER_ROWS),
    ("weights only", parameter("download.model.source=other_weights"), {"download@model", *MODELLING}),
    ("tokenizer", parameter("download.model.source=other_tokenizer"), {"download@model", "tokenize", *MODELLING}),
    ("sample file", text("data/samples/toy.csv", "good", "nice"), {"download@dataset", *AFTER_ROWS}),
    ("a corrected label", decision("relabel", "3"), {"download@dataset", *AFTER_ROWS}),
    ("a confirmed label", decision("keep"), {"download@dataset", "report"}),  # which counts it
    (
        "dataset section",
        parameter("download.dataset.labels={1: low, 2: mid, 3: high}"),
        {"download@dataset", *AFTER_ROWS},
    ),
    ("a second seed", parameter("seeds=[42, 43]"), {"finetune@43", "evaluate@43", "report"}),
]
CUT_OFF = {  # pending in the plan, and then fresh: the upstream came out identical, which only running it can tell
    "a confirmed label": {"tokenize", "split", "finetune@42", "evaluate@42"},  # the rows are the same
    "weights only": {"tokenize", "split"},  # the tokenizer's files are the same
    "tokenizer": {"split"},  # the texts have no capitals, so the tokens are the same
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after one run."""
    root = toy.own_project(tmp_path_factory.mktemp("changes") / "project")
    write_rows(root / "data/samples/toy.csv")
    write_encoder(root / "encoder")
    write_encoder(root / "other_weights", seed=1)
    shutil.copytree(root / "other_weights", root / "other_tokenizer")
    text("other_tokenizer/tokenizer.json", '"lowercase": ?true', '"lowercase": false')(root)
    text("other_tokenizer/tokenizer_config.json", '"do_lower_case": ?true', '"do_lower_case": false')(root)
    for stage in ("finetune", "evaluate", "report"):
        (root / f"stages/{stage}/__main__.py").write_text(STAND_IN)
    for value in VALUES:
        parameter(value)(root)
    toy.dvc(root, "repro")
    return root


@pytest.fixture
def changing(ran: Path, tmp_path: Path) -> Path:
    """A copy of it for one test to change."""
    return Path(shutil.copytree(ran, tmp_path / "project", symlinks=True))


def planned(root: Path) -> dict[str, str]:
    with Project(root) as project:
        return {plan.stage: plan.state for plan in make_plan(project.graph, project)}


@pytest.mark.parametrize(("name", "edit", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_what_the_plan_names_is_what_runs(
    changing: Path, name: str, edit: Callable[[Path], None], expected: set[str]
) -> None:
    edit(changing)
    plan = planned(changing)
    said = toy.dvc(changing, "repro")
    ran = set(re.findall(r"^Running stage '(.*)'", said, re.MULTILINE))
    assert ran == expected
    named, spared = {stage for stage, state in plan.items() if state in ("runs", "pending")}, CUT_OFF.get(name, set())
    assert named == ran | spared  # identical, but for those that early cut-off spares
    assert {plan[stage] for stage in spared} <= {"pending"}  # and of those the plan said that they might not run
    assert set(planned(changing).values()) == {"fresh"}


@pytest.mark.parametrize(
    "value", ["num_workers=1", "checkpoint_minutes=1.5", "loggers=[tensorboard]", "unpack_limit_mb=7"]
)
def test_a_machine_setting_re_runs_nothing(changing: Path, value: str) -> None:
    parameter(f"machine.{value}")(changing)
    assert set(planned(changing).values()) == {"fresh"}


def test_the_flow_takes_parameters_and_a_recipe(changing: Path, prefect_api: str) -> None:
    done = toy.retune(changing, "run", "-S", "report.title=Mine", PREFECT_API_URL=prefect_api)
    assert "Done: ran report." in done.stdout, done.stdout + done.stderr
    assert "title: Mine  #" in (changing / "params.yaml").read_text(encoding="utf-8")
    flow_run = prefect_states.last_flow_run(prefect_api)
    assert flow_run["parameters"]["params"] == {"report.title": "Mine"}
    bad = toy.retune(changing, "run", "-S", "report.titel=Mine", PREFECT_API_URL=prefect_api)
    assert "unknown key report.titel (did you mean title?)" in bad.stderr
    assert "nothing to run" in toy.retune(changing, "run", PREFECT_API_URL=prefect_api).stdout
    (changing / "recipes/mine.yaml").write_text("evaluate: {seed: 7}\n", encoding="utf-8")
    toy.git(changing, "commit", "-qm", "What a recipe replaces", "params.yaml")
    values = [part for value in VALUES for part in ("-S", value)]
    plan = toy.retune(changing, "run", "--recipe", "nowhere", *values, PREFECT_API_URL=prefect_api)
    assert "There is no recipe nowhere." in plan.stderr
    done = toy.retune(changing, "run", "tokenize", "--recipe", "mine", *values, PREFECT_API_URL=prefect_api)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n  seed: 7  #" in (changing / "params.yaml").read_text(encoding="utf-8")
