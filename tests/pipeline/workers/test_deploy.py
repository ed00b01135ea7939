"""prefect.yaml and dvc.yaml agree."""

from typing import Any

from ruamel.yaml import YAML

from tests.pipeline.workers.toy_project import ROOT


def test_every_pool_of_the_graph_has_a_deployment() -> None:
    read: Any = YAML(typ="safe").load
    graph, file = read(ROOT / "dvc.yaml"), read(ROOT / "prefect.yaml")
    pools = {stage.get("do", stage)["meta"]["pool"] for stage in graph["stages"].values()}
    assert pools == {item["name"] for item in file["deployments"] if item["entrypoint"].endswith("run_stage")}
    for item in file["deployments"]:
        assert not any(schedule["active"] for schedule in item.get("schedules", []))
