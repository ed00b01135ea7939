"""`retune status` on a real Prefect server, without one, and with one that does not answer."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.execution import workspace
from pipeline.execution.machine import HOST_LABEL
from tests.pipeline import toy
from tests.pipeline.commands import half_dead


def status(root: Path, *arguments: str, **environment: str) -> Any:
    return toy.retune(root, "status", *arguments, **{"PREFECT_PROFILE": "ephemeral", **environment})


def test_without_a_server_this_folder_is_shown(toy_that_ran: Path, project: Path) -> None:
    done = status(toy_that_ran)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "Nothing runs in this folder."
    assert "PREFECT_API_URL is not set" in done.stdout
    with workspace.hold(project):
        entries = json.loads(status(project, "--json").stdout)
        table = status(project).stdout
    assert (entries["api"], entries["error"]) == (None, None)
    assert [(entry["name"], entry["run"], entry["state"]) for entry in entries["activities"]] == [
        ("retune run", None, "running")
    ]
    assert re.search(rf"^retune run +running +\S+:{project} +\d\d:\d\d:\d\d", table, flags=re.MULTILINE)


def test_the_runs_of_a_server_with_their_stages(toy_that_ran: Path, prefect_api: str) -> None:
    from prefect import Flow, Task
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import ArtifactCreate
    from prefect.settings import PREFECT_API_URL, temporary_settings
    from prefect.states import Completed, Running, Scheduled

    with temporary_settings({PREFECT_API_URL: prefect_api}), get_client(sync_client=True) as client:

        def run(flow: str, name: str, state: Any, *tags: str) -> Any:
            made = client.create_flow_run(
                Flow(lambda: None, name=flow), name=name, state=Scheduled(), tags=tags, parameters={"repository": "r"}
            )
            client.set_flow_run_state(made.id, Running(), force=True)
            client.set_flow_run_state(made.id, state, force=True)
            client.update_flow_run_labels(made.id, {HOST_LABEL: "gpu-box"})
            return made

        coordinator = run("coordinate", "main at 1a2b3c4d5e6f", Running())
        run("run-stage", "finetune@7", Completed(), "stage:finetune@7")
        stage = run("run-stage", "finetune@7", Running(), "stage:finetune@7", f"by:{coordinator.id}")
        workspace_run = run("retrain", "quick-fox", Running())
        task = client.create_task_run(Task(lambda: None, name="x"), workspace_run.id, "1", name="new", state=Running())
        rows = json.dumps([{"stage": "finetune@7", "now": "running", "after": ""}])
        client.create_artifact(ArtifactCreate(key="plan", type="table", data=rows, flow_run_id=coordinator.id))
        try:
            done = status(toy_that_ran, "--json", PREFECT_API_URL=prefect_api)
            assert done.returncode == 0, done.stderr
            found = {entry["name"]: entry for entry in json.loads(done.stdout)["activities"]}
            assert found["main at 1a2b3c4d5e6f"]["ends"] is not None
            assert (found["finetune@7"]["run"], found["finetune@7"]["where"]) == ("main at 1a2b3c4d5e6f", "gpu-box")
            assert found["finetune@7"]["ends"] is not None, "it ran before"
            assert found["finetune@7"]["address"].endswith(str(stage.id))
            assert (found["new"]["run"], found["new"]["ends"]) == ("quick-fox", None), "it never ran before"
            assert found["new"]["address"].endswith(str(task.id))
        finally:
            for made in (coordinator, stage, workspace_run):
                client.delete_flow_run(made.id)


@pytest.fixture
def refusing_api() -> Iterator[str]:
    """Prefect's API as it is for who has another password: its health is public."""
    with half_dead.serve(401) as url:
        yield url


DEAD = "http://127.0.0.1:9/api"
NO_ANSWER = f"Prefect's API at {DEAD} does not answer. Start it, or unset PREFECT_API_URL."


def test_a_server_that_does_not_answer_hides_nothing_of_this_folder(project: Path) -> None:
    with workspace.hold(project):
        done = status(project, "--json", PREFECT_API_URL=DEAD)
    state = json.loads(done.stdout)
    assert [entry["name"] for entry in state["activities"]] == ["retune run"]
    assert (state["api"], state["error"]) == (DEAD, NO_ANSWER)
    assert (done.returncode, done.stderr) == (1, f"error: {NO_ANSWER}\n")


def test_a_server_that_does_not_answer_is_not_taken_for_one_that_is_not_set(project: Path, tmp_path: Path) -> None:
    shown = "Nothing runs in this folder.\nOnly this folder is shown: the server at {} {}.\n"
    assert status(project, PREFECT_API_URL=DEAD).stdout == shown.format(DEAD, "did not answer")
    assert status(project, PREFECT_API_URL="http://[").stdout == shown.format("http://[", "was not asked")
    outside = status(tmp_path.parent, PREFECT_API_URL=DEAD)
    assert (outside.stdout, outside.stderr) == ("", f"error: {NO_ANSWER}\n"), "no folder is here to tell of"


def test_a_refused_password_is_said(project: Path, refusing_api: str) -> None:
    done = status(project, PREFECT_API_URL=refusing_api)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "PREFECT_API_AUTH_STRING" in done.stderr
    assert done.stdout.splitlines() == [
        "Nothing runs in this folder.",
        f"Only this folder is shown: the server at {refusing_api} did not list the runs elsewhere.",
    ]


def test_outside_a_project_a_server_is_needed(tmp_path: Path, prefect_api: str) -> None:
    assert status(tmp_path, PREFECT_API_URL=prefect_api).returncode == 0
    done = status(tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
