"""Reads from Prefect's API what its UI would show."""

import json
import urllib.request
from typing import Any


def ask(api: str, what: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Post a filter and return what matches."""
    request = urllib.request.Request(
        f"{api}/{what}/filter", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)  # type: ignore[no-any-return]


def last_flow_run(api: str) -> dict[str, Any]:
    """The newest flow run."""
    return ask(api, "flow_runs", {"sort": "START_TIME_DESC", "limit": 1})[0]


def task_states(api: str, flow_run: dict[str, Any]) -> dict[str, str]:
    """The state of each stage in a flow run, by its name."""
    runs = ask(api, "task_runs", {"flow_runs": {"id": {"any_": [flow_run["id"]]}}})
    assert len({run["name"] for run in runs}) == len(runs), "a stage has more than one task run"
    return {run["name"]: run["state"]["name"] for run in runs}


def task_logs(api: str, flow_run: dict[str, Any], stage: str) -> list[str]:
    """The log lines of a stage."""
    (run,) = [
        run for run in ask(api, "task_runs", {"flow_runs": {"id": {"any_": [flow_run["id"]]}}}) if run["name"] == stage
    ]
    logs = ask(api, "logs", {"logs": {"task_run_id": {"any_": [run["id"]]}}, "sort": "TIMESTAMP_ASC"})
    return [line["message"] for line in logs]


def artifacts(api: str, flow_run: dict[str, Any]) -> dict[str, Any]:
    """The artifacts of a flow run, by key."""
    found = ask(api, "artifacts", {"artifacts": {"flow_run_id": {"any_": [flow_run["id"]]}}})
    return {artifact["key"]: artifact["data"] for artifact in found}
