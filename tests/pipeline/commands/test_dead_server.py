"""Every command that asks Prefect's API, where no server answers, one refuses the password, or one goes away."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline import toy
from tests.pipeline.commands import half_dead

DEAD = "http://127.0.0.1:9/api"
PREFECT_YAML = """\
deployments:
  - {name: toy, entrypoint: pipeline.workers.flows.run_stage, work_pool: {name: toy}}
"""
QUICK = {"PREFECT_CLIENT_MAX_RETRIES": "0", "RETUNE_REPOSITORY": "https://example.org/toy.git"}


@pytest.fixture
def deployable(project: Path) -> Path:
    (project / "prefect.yaml").write_text(PREFECT_YAML)
    return project


@pytest.mark.parametrize("command", ["status", "status --json", "deploy", "run", "ui"])
@pytest.mark.parametrize("url", [DEAD, "http://["], ids=["dead port", "no address"])
def test_a_server_that_does_not_answer_is_one_line(deployable: Path, command: str, url: str) -> None:
    toy.edit(deployable, "params.yaml", "length: 5", "length: 6")
    done = toy.retune(deployable, *command.split(), PREFECT_API_URL=url)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith(
        f"error: Prefect's API at {DEAD} does not answer. Start it" if url == DEAD else "error: PREFECT_API_URL is not "
    )


def test_reconcile_waits_for_a_server_and_says_so_in_a_line(deployable: Path) -> None:
    command = [sys.executable, "-P", "-m", "pipeline.cli", "reconcile"]
    environment = toy.environment(PREFECT_API_URL=DEAD, **QUICK)
    with subprocess.Popen(command, cwd=deployable, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        process.terminate()
        rest = process.stderr.read()
    assert line.startswith("Prefect's API does not answer (")
    assert "Traceback" not in rest
    done = toy.retune(deployable, "reconcile", PREFECT_API_URL="http://[")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr


@pytest.mark.parametrize("command", ["status", "deploy"])
@pytest.mark.parametrize(
    ("answer", "hint"), [(401, "Set PREFECT_API_AUTH_STRING"), (500, "server's log"), (None, "server's log")]
)
def test_a_server_that_refuses_or_goes_away_is_one_line(
    deployable: Path, command: str, answer: int | None, hint: str
) -> None:
    with half_dead.serve(answer) as url:
        done = toy.retune(deployable, command, PREFECT_API_URL=url, **QUICK)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith("error: Prefect's API does not ")
    assert hint in done.stderr
