"""The commands as a user gives them."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from tests.pipeline import toy

REPOSITORY = Path(__file__).parents[2]
COMMANDS = sorted(command.callback.__name__ for command in app.registered_commands)  # type: ignore[union-attr]


def modules_after(root: Path, *arguments: str) -> set[str]:
    """Every module that a command has imported."""
    code = "\n".join(
        [
            f"import sys; sys.argv = ['retune', *{arguments}]",
            "from pipeline.cli import main",
            "try: main()",
            "finally: print(*sys.modules)",
        ]
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    text = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
    assert f"retune {command}" in text.partition("Example")[2]


@pytest.mark.parametrize("arguments", [["--help"], ["plan", "--help"]])
def test_help_imports_none_of_the_big_ones(arguments: list[str]) -> None:
    assert not {"prefect", "torch", "dvc", "transformers", "pandas"} & modules_after(REPOSITORY, *arguments)


def test_a_plan_imports_neither_prefect_nor_torch(toy_that_ran: Path) -> None:
    modules = modules_after(toy_that_ran, "plan")
    assert "pipeline.planning.plan" in modules
    assert not {"prefect", "torch", "transformers", "pandas"} & modules


def test_plan_in_words(inside: Path) -> None:
    toy.edit(inside, "params.yaml", "2.0e-5", "3e-5")
    lines = CliRunner().invoke(app, ["plan"], env={"COLUMNS": "40"}).output.splitlines()  # no terminal: not wrapped
    assert lines[4:] == [
        "train@1         runs            ?  train.rate 2e-05 -> 3e-05",
        "train@2         runs            ?  train.rate 2e-05 -> 3e-05",
        "report          pending         ?  train.rate 2e-05 -> 3e-05; after train@1 and train@2",
        "Expected: unknown, none of these stages has run here before.",
    ]


def test_plan_as_json(inside: Path) -> None:
    toy.edit(inside, "params.yaml", "2.0e-5", "3e-5")
    found = json.loads(CliRunner().invoke(app, ["plan", "--json", "train"]).output)
    assert [line["stage"] for line in found] == ["download@rows", "download@model", "cut", "train@1", "train@2"]
    assert found[3] == {
        "stage": "train@1",
        "state": "runs",
        "reasons": ["train.rate 2e-05 -> 3e-05"],
        "seconds": None,
        "seconds_low": None,
        "seconds_high": None,
    }


def test_plan_of_another_revision(inside: Path) -> None:
    found = json.loads(CliRunner().invoke(app, ["plan", "--json", "--rev", "HEAD"]).output)
    assert {line["state"] for line in found} == {"restored"}  # its dvc.lock is not in git, the run-cache is here


def test_nothing_to_run_is_said_without_prefect(toy_that_ran: Path) -> None:
    done = toy.retune(toy_that_ran, "run", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert done.stdout == "Nothing has changed: nothing to run.\n"
    assert done.returncode == 0


def make_report(root: Path) -> None:
    (root / "data/report/model").mkdir()
    (root / "data/report/report.html").touch()


def test_results(inside: Path) -> None:
    (inside / "data/report/metrics.json").write_text(
        json.dumps({"champion": {"seed": 1}, "test": {"mcc": {"mean": 0.5, "sd": None, "low": 0.4, "high": 0.61}}})
    )
    make_report(inside)
    lines = CliRunner().invoke(app, ["results"]).output.splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["mean"],
        ["test", "over", "the", "seeds", "interval"],
        ["mcc", "0.500", "0.400", "to", "0.610"],
    ]
    assert lines[5:] == ["Report: data/report/report.html", "Model:  data/report/model; try it: retune predict TEXT"]


def test_a_run_ends_with_the_headline_metrics(inside: Path) -> None:
    test = {name: {"mean": 0.5, "sd": None, "low": None, "high": None} for name in ("mcc", "accuracy", "auroc")}
    toy.edit(
        inside, "dvc.yaml", "outs: [data/report/report.md]", "outs: [data/report/report.md, data/report/metrics.json]"
    )
    toy.edit(
        inside, "dvc.yaml", "work.py data/report/report.md", "work.py data/report/report.md data/report/metrics.json"
    )
    toy.edit(
        inside,
        "work.py",
        "value = digest",
        f"METRICS = {json.dumps({'metric': 'mcc', 'test': test}, indent=None).replace('null', 'None')}\nvalue = digest",
    )
    toy.edit(
        inside,
        "work.py",
        "    out.write_text('",
        "    out.write_text(json.dumps(METRICS) if out.name == 'metrics.json' else '",
    )
    toy.dvc(inside, "repro")
    make_report(inside)
    lines = CliRunner().invoke(app, ["run"]).output.splitlines()
    assert lines[0] == "Nothing has changed: nothing to run."
    assert [line.split()[0] for line in lines[4:6]] == ["mcc", "accuracy"]
    assert lines[7:] == [
        "Report: data/report/report.html; every metric: retune results",
        "Model:  data/report/model; try it: retune predict TEXT",
        "Times:  retune results --timings",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["results"],
            "error: There are no results yet: data/report/metrics.json is missing. Run: retune run",
        ),
        (
            ["plan", "--rev", "HEAD", "-S", "seeds=[7]"],
            "error: A revision is planned as it is. Leave out -S, or check the revision out and plan there.",
        ),
        (["plan", "--rev", ""], "error: --rev is empty. Give a revision, or leave it out to plan for the workspace."),
        (["plan", "trian"], "error: dvc.yaml has no stage trian. The stages are: download, cut, train, report."),
        (["use", "nothing"], "error: There is no recipe nothing. Name one of recipes/ (empty), or the path of a file."),
        (
            ["plan", "--rev", "nowhere"],
            "error: nowhere is not a revision of this repository or an experiment. See: git log, git branch -a, "
            "dvc exp list -A. In a shallow clone, run first: git fetch --unshallow",
        ),
    ],
)
def test_errors_are_one_line_and_exit_code_1(toy_that_ran: Path, arguments: list[str], message: str) -> None:
    done = toy.retune(toy_that_ran, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{message}\n")


def test_not_in_a_project(tmp_path: Path) -> None:
    done = toy.retune(tmp_path, "plan")
    assert done.stderr.startswith("error: There is no dvc.yaml in ")
    assert done.returncode == 1


def test_params_missing(inside: Path) -> None:
    (inside / "params.yaml").unlink()
    done = toy.retune(inside, "plan")
    assert done.stderr.endswith("params.yaml is missing. Write it with: retune use default\n")


def test_use_writes_nothing_where_the_result_is_not_valid(tmp_path: Path) -> None:
    root = toy.own_project(tmp_path / "project")
    before = (root / "params.yaml").read_bytes()
    done = toy.retune(root, "use", "sms_spam", "-S", "split.val=3")
    assert done.stderr == "error: recipe sms_spam: split.val: expected a number below 1, got 3\n"
    assert (root / "params.yaml").read_bytes() == before
    done = toy.retune(root, "use", "sms_spam", "-S", "split.val=0.3")
    assert done.stdout == "params.yaml now holds the recipe sms_spam with 1 change. Next: retune run\n"
    assert "val: 0.3  #" in (root / "params.yaml").read_text()


def test_sigterm_removes_temporary_files() -> None:
    code = """
import os, signal, tempfile
from pipeline import cli

def app(**_):
    with tempfile.TemporaryDirectory() as folder:
        print(folder, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

cli.app = app
cli.main()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=toy.REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 143, done.stderr
    assert not Path(done.stdout.strip()).exists()


def test_ctrl_c_during_the_imports_prints_no_traceback_and_later_ones_raise_again() -> None:
    code = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
class Finder:
    def find_spec(self, name, *_):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
import pipeline.cli
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""
    for module, returncode in (("pipeline.commands.compare", -signal.SIGINT), ("none", 0)):
        done = subprocess.run([sys.executable, "-c", code, module], cwd=REPOSITORY, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (returncode, "")
