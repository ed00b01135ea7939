"""The workflows are valid, their commands exist, and the steps around `retune compare` do what they say."""

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.cli import app
from pipeline.diagnosis.machine import NEWEST_PYTHON
from tests.pipeline import outcomes
from tests.pipeline.toy import environment, git

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yaml"))
DOCUMENT = ROOT / "docs/pull-requests.md"
GH = """#!/bin/sh
echo "$@" >> "$GH_LOG"
while [ $# -gt 0 ]; do if [ "$1" = --body-file ]; then cp "$2" "$GH_BODY"; fi; shift; done
"""


def validate(schema: str, path: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def steps(name: str, job: str) -> dict[str, dict[str, Any]]:
    workflow = YAML(typ="safe").load(ROOT / ".github/workflows" / name)
    return {step["name"]: step for step in workflow["jobs"][job]["steps"] if "name" in step}


def gitlab() -> str:
    return re.search(r"```yaml\n# \.gitlab-ci\.yml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)[1]  # type: ignore[index]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_keeps_to_githubs_schema(path: Path) -> None:
    validate("github-workflows", path)


def test_a_fault_in_a_workflow_is_found(tmp_path: Path) -> None:
    text = WORKFLOWS[0].read_text(encoding="utf-8").replace("runs-on:", "run-on:")
    (tmp_path / "broken.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError, match="broken.yaml"):
        validate("github-workflows", tmp_path / "broken.yaml")


def test_the_gitlab_example_keeps_to_gitlabs_schema(tmp_path: Path) -> None:
    (tmp_path / ".gitlab-ci.yml").write_text(gitlab(), encoding="utf-8")
    validate("gitlab-ci", tmp_path / ".gitlab-ci.yml")


def test_every_python_that_is_named_anywhere_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [line.rpartition(" ")[2] for line in project["classifiers"] if "Python ::" in line]
    workflow = YAML(typ="safe").load(ROOT / ".github/workflows/test.yaml")
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == named
    assert project["requires-python"] == f">={named[0]}"
    assert ".".join(map(str, NEWEST_PYTHON)) == named[-1]
    for page in ("README.md", "CONTRIBUTING.md"):
        assert f"Python {named[0]} to {named[-1]}" in (ROOT / page).read_text(encoding="utf-8")


def test_nothing_of_a_pull_request_is_pasted_into_a_script() -> None:
    for path in WORKFLOWS:
        for job in YAML(typ="safe").load(path)["jobs"].values():
            for step in job["steps"]:
                assert "${{" not in step.get("run", "")


def test_scripts_are_bash_and_their_commands_exist() -> None:
    commands = {command.callback.__name__ for command in app.registered_commands if command.callback}
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    scripts = [step["run"] for step in steps("pull-request.yaml", "compare").values() if "run" in step]
    for script in scripts:
        assert subprocess.run(["bash", "-n", "-c", script]).returncode == 0
    for text in [*scripts, DOCUMENT.read_text(encoding="utf-8")]:
        assert set(re.findall(r"\bretune (plan|run|compare|log|use)\b", text)) <= commands
        assert set(re.findall(r"^\s*make ([a-z-]+)", text, re.MULTILINE)) <= set(targets)


@pytest.mark.parametrize(("rule", "status"), [([], 0), (["test.accuracy >= 0.95"], 3)])
def test_the_comment_is_posted_and_the_gate_is_the_status(tmp_path: Path, rule: list[str], status: int) -> None:
    root = outcomes.create(tmp_path / "project")
    data = outcomes.rows(300)
    for name, wrong in (("base", 30), ("head", 32)):
        outcomes.set_params(root, report__gate__require=rule)
        outcomes.write_results(root, data, {42: outcomes.predict(data, wrong=wrong, seed=wrong)})
        outcomes.commit(root, name)
        git(root, "tag", name)
    (root / "plan.md").write_text("### A plan\n\n```\nfinetune@42 runs\n```\n")
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "gh").write_text(GH)
    (tools / "retune").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pipeline.cli "$@"\n')
    for tool in tools.iterdir():
        tool.chmod(tool.stat().st_mode | stat.S_IEXEC)
    paths = {name: str(tmp_path / name) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GH_LOG", "GH_BODY")}
    variables = environment(**paths, BASE="base", NUMBER="7", OURS="true", PYTHONPATH=str(ROOT))
    variables["PATH"] = f"{tools}{os.pathsep}{variables['PATH']}"
    found = steps("pull-request.yaml", "compare")
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]
    done = subprocess.run([*shell, found["Compare"]["run"]], cwd=root, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "pr comment 7 --edit-last --create-if-none --body-file comment.md" in Path(paths["GH_LOG"]).read_text()
    comment = Path(paths["GH_BODY"]).read_text(encoding="utf-8")
    assert comment.startswith("### ❌ The gate fails: test.accuracy &#62;= 0.95: " if status else "### ⚪ within noise")
    assert "finetune@42 runs" in comment
    output = Path(paths["GITHUB_OUTPUT"]).read_text().strip()
    assert output == f"code={status}"
    gate = subprocess.run([*shell, found["Gate"]["run"]], env={**variables, "CODE": output.removeprefix("code=")})
    assert gate.returncode == status


RETUNE = """#!/bin/sh
echo "$@" >> "$CALLS"
if [ "$1" = run ]; then exit 0; fi
if [ -n "$FAILURE" ]; then echo "$FAILURE" >&2; exit 1; fi
if [ -n "$GARBAGE" ]; then echo "$GARBAGE"; exit 0; fi
if [ "$(wc -l < "$CALLS")" -le 2 ]; then echo '[{"state": "run"}]'; exit 0; fi
echo '[{"state": "fresh"}, {"state": "restored"}]'
"""


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize(
    ("failure", "garbage", "calls"),
    [
        ("", "", ["plan --json"] * 3 + ["run"]),
        ("error: dvc.yaml is missing.", "", ["plan --json"]),
        ("", "no JSON", ["plan --json"]),
    ],
    ids=["ready at the third look", "plan fails", "plan prints no JSON"],
)
def test_waiting_ends_at_once_where_the_plan_fails(
    tmp_path: Path, failure: str, garbage: str, calls: list[str]
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "retune").write_text(RETUNE)
    (tools / "sleep").write_text("#!/bin/sh\n")
    for tool in tools.iterdir():
        tool.chmod(tool.stat().st_mode | stat.S_IEXEC)
    log = tmp_path / "calls"
    variables = environment(MODE="wait", CALLS=str(log), FAILURE=failure, GARBAGE=garbage)
    variables["PATH"] = f"{tools}{os.pathsep}{variables['PATH']}"
    script = steps("pull-request.yaml", "compare")["Run, or wait for the workers"]["run"]
    shell = ["bash", "-e", "-c", script]  # what GitHub runs a step with: a pipe's first command may fail
    done = subprocess.run(shell, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=20)
    assert log.read_text().splitlines() == calls
    assert (done.returncode != 0) == bool(failure or garbage)
    assert failure in done.stderr
