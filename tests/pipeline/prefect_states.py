"""Reads runs, states, logs and artifacts from Prefect's API."""

import json
import urllib.request
from typing import Any


def query(api: str, kind: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects of a kind (flow_runs, logs, ...) that match a filter."""
    request = urllib.request.Request(
        f"{api}/{kind}/filter", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)  # type: ignore[no-any-return]


def last_flow_run(api: str) -> dict[str, Any]:
    """The newest flow run."""
    return query(api, "flow_runs", {"sort": "START_TIME_DESC", "limit": 1})[0]


def task_states(api: str, flow_run: dict[str, Any]) -> dict[str, str]:
    """The state of each stage in a flow run, by its name."""
    runs = query(api, "task_runs", {"flow_runs": {"id": {"any_": [flow_run["id"]]}}})
    assert len({run["name"] for run in runs}) == len(runs), "a stage has more than one task run"
    return {run["name"]: run["state"]["name"] for run in runs}


def task_logs(api: str, flow_run: dict[str, Any], stage: str) -> list[str]:
    """The log lines of a stage."""
    (run,) = [
        run
        for run in query(api, "task_runs", {"flow_runs": {"id": {"any_": [flow_run["id"]]}}})
        if run["name"] == stage
    ]
    logs = query(api, "logs", {"logs": {"task_run_id": {"any_": [run["id"]]}}, "sort": "TIMESTAMP_ASC"})
    return [line["message"] for line in logs]


def artifacts(api: str, flow_run: dict[str, Any]) -> dict[str, Any]:
    """The artifacts of a flow run, by key."""
    matches = query(api, "artifacts", {"artifacts": {"flow_run_id": {"any_": [flow_run["id"]]}}})
    return {artifact["key"]: artifact["data"] for artifact in matches}
