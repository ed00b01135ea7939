"""`retune run` on a real Prefect server: states, logs, artifacts, order, failures, interruptions."""

import json
import signal
import time
from pathlib import Path

import pytest

from pipeline.local import server
from tests.pipeline import prefect_states, toy
from tests.pipeline.local.runs import control, in_state, run, start, started_stages
from tests.pipeline.processes import processes_of, wait_for

pytestmark = pytest.mark.slow
STAGES = {"download@rows", "download@model", "cut", "train@1", "train@2", "report"}


def test_states_logs_and_artifacts(project: Path, prefect_api: str) -> None:
    toy.edit(project, "params.yaml", "2.0e-5", "3e-5")
    text = run(project, prefect_api)
    assert "train@1: running" in text
    assert "Done: ran train@1, train@2, report." in text
    assert "retune ui" not in text  # there is a server already
    flow_run = prefect_states.last_flow_run(prefect_api)
    states = prefect_states.task_states(prefect_api, flow_run)
    assert in_state(states, "Completed") == {"train@1", "train@2", "report"}
    assert in_state(states, "Cached") == STAGES - {"train@1", "train@2", "report"}
    assert "working on train@2" in prefect_states.task_logs(prefect_api, flow_run, "train@2")
    plan = {row["stage"]: row for row in json.loads(prefect_states.artifacts(prefect_api, flow_run)["plan"])}
    assert plan["train@1"]["why"] == "train.rate 2e-05 -> 3e-05"
    assert (plan["train@1"]["planned"], plan["train@1"]["happened"]) == ("runs", "ran")
    assert (plan["cut"]["planned"], plan["cut"]["happened"]) == ("fresh", "nothing to do")
    assert flow_run["state"]["type"] == "COMPLETED"
    with_repro = toy.hashes(project)
    toy.dvc(project, "repro", "-f")
    assert toy.hashes(project) == with_repro


def test_stages_below_an_upstream_with_the_same_bytes_do_not_run(project: Path, prefect_api: str) -> None:
    toy.edit(project, "code/one.py", "1", "2")  # the toy's outputs don't depend on its code
    run(project, prefect_api)
    assert started_stages(project) == ["cut"]
    states = prefect_states.task_states(prefect_api, prefect_states.last_flow_run(prefect_api))
    assert in_state(states, "Completed") == {"cut"}
    assert in_state(states, "Cached") == STAGES - {"cut"}


def test_a_missing_output_is_restored_and_shown_as_cached(project: Path, prefect_api: str) -> None:
    (project / "data/train/1/curve.csv").unlink()
    assert "Done: restored train@1." in run(project, prefect_api)
    assert started_stages(project) == []
    states = prefect_states.task_states(prefect_api, prefect_states.last_flow_run(prefect_api))
    assert set(states.values()) == {"Cached"}


def test_a_failure_shows_the_stages_own_error_and_changes_no_other_output(project: Path, prefect_api: str) -> None:
    toy.edit(project, "params.yaml", "length: 5", "length: 6")
    control(project, train_1={"fail": "row 17: label is empty"})
    before = toy.hashes(project)
    done = toy.retune(project, "run", PREFECT_API_URL=prefect_api)
    assert done.returncode == 1
    log = project / ".retune/logs/train@1.log"
    assert done.stderr == f"error: train@1: row 17: label is empty (log: {log})\n"
    assert started_stages(project) == ["cut", "train@1"]
    after = toy.hashes(project)
    assert {path for path in after if after[path] != before[path]} == {"data/cut/tokens", "data/cut/stats.json"}
    flow_run = prefect_states.last_flow_run(prefect_api)
    states = prefect_states.task_states(prefect_api, flow_run)
    assert (states["train@1"], flow_run["state"]["type"]) == ("Failed", "FAILED")
    assert {"train@2", "report"}.isdisjoint(states)
    control(project)
    run(project, prefect_api)
    assert started_stages(project)[2:] == ["train@1", "train@2", "report"]


def test_seeds_overlap_with_two_jobs(project: Path, prefect_api: str) -> None:
    toy.edit(project, "params.yaml", "2.0e-5", "3e-5")
    control(project, train_1={"sleep": 4}, train_2={"sleep": 4})
    run(project, prefect_api, "--jobs", "2")
    times = {(what, stage): when for what, stage, when in toy.trace(project)}
    assert times["start", "train@2"] < times["end", "train@1"]
    assert times["start", "train@1"] < times["end", "train@2"]
    assert times["start", "report"] > max(times["end", "train@1"], times["end", "train@2"])
    text = (project / ".retune/logs/train@2.log").read_text()
    assert "working on train@2" in text
    assert "working on train@1" not in text


def test_an_added_seed_trains_alone_and_a_removed_one_leaves_no_output(project: Path, prefect_api: str) -> None:
    toy.edit(project, "params.yaml", "[1, 2]", "[1, 2, 3]")
    run(project, prefect_api)
    assert started_stages(project) == ["train@3", "report"]
    toy.edit(project, "params.yaml", "[1, 2, 3]", "[1, 2]")
    run(project, prefect_api)
    assert not (project / "data/train/3").exists()
    assert started_stages(project) == ["train@3", "report"]  # the report of two seeds was in the run-cache


def test_targets_and_refresh(project: Path, prefect_api: str) -> None:
    toy.edit(project, "params.yaml", "title: toy", "title: other")
    run(project, prefect_api, "cut", "--refresh")
    assert started_stages(project) == ["download@rows"]  # the same bytes: cut is fresh, and report was not asked for
    assert "nothing to run" in run(project, prefect_api, "train")


def test_a_killed_stage_is_retried_and_one_that_failed_is_not(project: Path, prefect_api: str) -> None:
    toy.edit(project, "dvc.yaml", "    params: [cut]\n", "    params: [cut]\n    meta: {retries: 2}\n")
    toy.edit(project, "params.yaml", "length: 5", "length: 7")
    control(project, cut={"killed_once": True})
    run(project, prefect_api, "cut")
    assert started_stages(project) == ["cut", "cut"]
    toy.edit(project, "params.yaml", "length: 7", "length: 8")
    control(project, cut={"fail": "no"})
    assert toy.retune(project, "run", "cut", PREFECT_API_URL=prefect_api).returncode == 1
    assert started_stages(project) == ["cut", "cut", "cut"]


def test_time_limit(project: Path, prefect_api: str) -> None:
    toy.edit(project, "dvc.yaml", "    params: [cut]\n", "    params: [cut]\n    meta: {timeout: 4}\n")
    toy.edit(project, "params.yaml", "length: 5", "length: 9")
    control(project, cut={"sleep": 60, "child": True})
    done = toy.retune(project, "run", PREFECT_API_URL=prefect_api)
    assert "seconds (meta.timeout in dvc.yaml)" in done.stderr
    assert processes_of(project) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_process_and_no_incomplete_output(
    project: Path, prefect_api: str, how: int
) -> None:
    toy.edit(project, "params.yaml", "length: 5", "length: 10")
    control(project, cut={"sleep": 60, "child": True})
    process = start(project, prefect_api)
    wait_for(lambda: started_stages(project) == ["cut"], seconds=180)
    (project / "data/cut").mkdir(exist_ok=True)
    (project / "data/cut/stats.json").write_text("half")
    process.send_signal(how)
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 130, output + errors
    assert "Stopped while running: cut" in output
    assert "Traceback" not in output + errors
    assert processes_of(project) == []
    assert not (project / "data/cut/stats.json").exists()
    flow_run = prefect_states.last_flow_run(prefect_api)
    assert flow_run["state"]["type"] == "CANCELLED"
    assert prefect_states.task_states(prefect_api, flow_run)["cut"] == "Cancelled"


def test_a_second_run_names_the_first_or_waits_for_it(project: Path, prefect_api: str) -> None:
    toy.edit(project, "params.yaml", "length: 5", "length: 11")
    control(project, cut={"sleep": 6})
    first = start(project, prefect_api)
    wait_for(lambda: started_stages(project) == ["cut"], seconds=180)
    second = toy.retune(project, "run", PREFECT_API_URL=prefect_api)
    assert second.returncode == 1
    assert f"process {first.pid}, since" in second.stderr
    third = toy.retune(project, "run", "--wait", PREFECT_API_URL=prefect_api)
    assert third.stdout.endswith("Nothing has changed: nothing to run.\n")
    first.communicate(timeout=180)
    assert first.returncode == 0
    assert started_stages(project) == ["cut", "train@1", "train@2", "report"]


def test_an_api_that_does_not_answer(project: Path) -> None:
    (project / "data/cut/stats.json").unlink()
    done = toy.retune(project, "run", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert done.stderr == (
        "error: Prefect's API at http://127.0.0.1:9/api does not answer. Start it, or unset PREFECT_API_URL.\n"
    )


def test_the_time_of_each_stage_is_what_the_next_plan_expects(project: Path, prefect_api: str) -> None:
    toy.edit(project, "params.yaml", "length: 5", "length: 12")
    control(project, cut={"sleep": 2})
    began = time.monotonic()
    run(project, prefect_api, "cut")
    took = time.monotonic() - began
    toy.edit(project, "params.yaml", "length: 12", "length: 13")
    (cut,) = [
        line for line in json.loads(toy.retune(project, "plan", "--json", "cut").stdout) if line["stage"] == "cut"
    ]
    assert 2 <= cut["seconds"] <= took


def test_no_result_is_lost_when_the_server_dies_during_the_run(project: Path) -> None:
    toy.edit(project, "params.yaml", "length: 5", "length: 14")
    control(project, cut={"sleep": 4}, train_2={"fail": "row 17: label is empty"})
    port = server.free_port()
    with server.serve(port):
        process = start(project, f"http://127.0.0.1:{port}/api")
        wait_for(lambda: started_stages(project) == ["cut"], seconds=180)
    output, errors = process.communicate(timeout=120)  # it is no race: Prefect's own patience is 2.5 minutes
    assert "train@1: done" in output
    said = errors.splitlines()
    assert said[0].startswith("Prefect's API stopped answering during the run")
    assert said[1].startswith("error: train@2: row 17: label is empty")
    assert (len(said), process.returncode) == (2, 1)
    control(project)
    (project / "trace.txt").unlink()
    done = toy.retune(project, "plan", "--json")
    states = {line["stage"]: line["state"] for line in json.loads(done.stdout)}
    assert in_state(states, "fresh") == STAGES - {"train@2", "report"}
    assert processes_of(project) == []
