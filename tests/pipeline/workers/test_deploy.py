"""prefect.yaml and dvc.yaml agree, and a deployment leaves schedules as a person switched them."""

import contextlib
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from ruamel.yaml import YAML

from pipeline.workers import deploy as deploying
from stages.errors import PipelineError
from tests.pipeline.workers.toy_project import ROOT


def test_every_pool_of_the_graph_has_a_deployment() -> None:
    read: Any = YAML(typ="safe").load
    graph, file = read(ROOT / "dvc.yaml"), read(ROOT / "prefect.yaml")
    pools = {stage.get("do", stage)["meta"]["pool"] for stage in graph["stages"].values()}
    assert pools == {item["name"] for item in file["deployments"] if item["entrypoint"].endswith("run_stage")}
    for item in file["deployments"]:
        assert not any(schedule["active"] for schedule in item.get("schedules", []))


class Server:
    """The part of Prefect's API that `retune deploy` uses; switching a schedule is an error."""

    def __init__(self, *schedules: DeploymentSchedule) -> None:
        self.id = uuid.uuid4()
        self.schedules = list(schedules)
        self.name, self.entrypoint = "coordinate", "pipeline.workers.flows.coordinate"
        self.pools: list[str] = []
        self.paused = False

    def create_work_pool(self, pool: Any) -> None:
        self.pools.append(pool.name)

    def read_deployments(self, *, deployment_filter: Any) -> list[Any]:
        return [self] if deployment_filter.name.any_ == [self.name] and self.schedules else []

    def update_deployment_schedule(
        self, deployment_id: uuid.UUID, schedule_id: uuid.UUID, *, parameters: dict[str, Any], slug: str
    ) -> None:
        schedule = next(each for each in self.schedules if each.id == schedule_id)
        assert parameters == schedule.parameters, "Prefect removes parameters that are left out"
        schedule.slug = slug


class Prefect:
    """Takes the place of the command `prefect deploy`."""

    def __init__(self, output: str = "", code: int = 0) -> None:
        self.file: dict[str, Any] = {}
        self._output, self._code = output, code

    def run(self, command: list[str], **options: Any) -> Any:
        assert command[:4] == [sys.executable, "-m", "prefect", "--no-prompt"]
        self.file = yaml.safe_load(options["input"])
        return subprocess.CompletedProcess(command, self._code, stdout=self._output)

    def schedules(self, name: str = "coordinate") -> dict[str, bool]:
        [entry] = [each for each in self.file["deployments"] if each["name"] == name]
        return {each["slug"]: each["active"] for each in entry["schedules"]}


def schedule(slug: str | None, active: bool) -> DeploymentSchedule:
    made = DeploymentSchedule(
        schedule=CronSchedule(cron="0 2 * * *"), active=active, slug=slug, parameters={"ref": "x"}
    )
    made.id = uuid.uuid4()
    return made


def deploy(monkeypatch: pytest.MonkeyPatch, server: Server, prefect: Prefect, root: Path = ROOT) -> None:
    @contextlib.contextmanager
    def open_client(**_: Any) -> Iterator[Server]:
        yield server

    monkeypatch.setenv("RETUNE_REPOSITORY", "none")
    monkeypatch.setattr(deploying, "open_client", open_client)
    monkeypatch.setattr(deploying.subprocess, "run", prefect.run)
    deploying.deploy(root)


@pytest.mark.parametrize("nightly", [True, False])
@pytest.mark.parametrize("hourly", [True, False])
@pytest.mark.parametrize("code", [0, 1, -15])
def test_prefect_is_told_to_leave_each_schedule_as_it_is(
    nightly: bool, hourly: bool, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a deploy that fails or is killed, at whatever moment, has switched nothing off."""
    server = Server(schedule("nightly", nightly), schedule("every-six-hours", hourly), schedule("my-own", True))
    prefect = Prefect("failed", code)
    with contextlib.suppress(PipelineError):
        deploy(monkeypatch, server, prefect)
    assert prefect.schedules() == {"nightly": nightly, "every-six-hours": hourly}
    assert prefect.schedules("retrain") == {"nightly": False, "every-six-hours": False}, "not deployed yet"


@pytest.mark.parametrize("paused", [True, False])
@pytest.mark.parametrize("key", ["", ", paused: true", ", paused: false"])
@pytest.mark.parametrize("schedules", ["", ", schedules: [{slug: nightly, cron: 0 2 * * *}]"])
def test_a_deployment_stays_paused_or_not(
    paused: bool, key: str, schedules: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = Server(schedule("nightly", True))
    server.paused = paused
    prefect = deploy_text(f"deployments: [{{{ENTRY}{key}{schedules}}}]", monkeypatch, tmp_path, server)
    assert prefect.file["deployments"][0]["paused"] is paused


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("interval: 21600", "2024-05-06T07:08:09+00:00"),
        ("interval: 60", "2024-05-06T07:08:09+00:00"),
        ('interval: 21600, anchor_date: "2026-01-01T00:00:00"', "2026-01-01T00:00:00"),
        ("cron: 0 2 * * *", None),
        ("interval: 21600, replaces: old", "2024-05-06T07:08:09+00:00"),
    ],
)
def test_an_interval_goes_on_from_where_it_began(
    keys: str, expected: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Otherwise it begins again with each deploy: one every six hours would never fire with a deploy every five."""
    on_server = schedule("old" if "replaces" in keys else "often", True)
    on_server.schedule = IntervalSchedule(
        interval=timedelta(hours=6), anchor_date=datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    )
    text = f"deployments: [{{{ENTRY}, schedules: [{{slug: often, {keys}}}]}}]"
    [entry] = deploy_text(text, monkeypatch, tmp_path, Server(on_server)).file["deployments"][0]["schedules"]
    assert entry.get("anchor_date") == expected


def test_a_schedule_without_a_slug_gets_one_as_prefect_would_delete_it(monkeypatch: pytest.MonkeyPatch) -> None:
    own = schedule(None, True)
    prefect = Prefect()
    deploy(monkeypatch, Server(schedule("nightly", True), own), prefect)
    assert own.slug == str(own.id)
    assert prefect.schedules() == {"nightly": True, "every-six-hours": False}


def test_two_deployments_of_prefect_yaml_may_share_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = "entrypoint: pipeline.workers.flows.coordinate, work_pool: {name: cpu}"
    (tmp_path / "prefect.yaml").write_text(
        f"""deployments:
  - {{name: coordinate, {entry}, schedules: &all [{{slug: nightly, cron: 0 2 * * *, active: false}}]}}
  - {{name: other, {entry}, schedules: *all}}
  - {{name: none, {entry}, schedules: null, description: "\U0001f600 yes"}}
"""
    )
    prefect = Prefect()
    deploy(monkeypatch, Server(schedule("nightly", True)), prefect, tmp_path)
    assert (prefect.schedules(), prefect.schedules("other")) == ({"nightly": True}, {"nightly": False})
    assert prefect.file["deployments"][2]["description"] == "\U0001f600 yes"


ENTRY = "name: coordinate, entrypoint: pipeline.workers.flows.coordinate, work_pool: {name: cpu}"


def deploy_text(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Server | None = None) -> Prefect:
    (tmp_path / "prefect.yaml").write_text(text)
    prefect = Prefect()
    deploy(monkeypatch, server or Server(), prefect, tmp_path)
    return prefect


@pytest.mark.parametrize(
    "value",
    [
        "3.0e-5",
        "3e-05",
        "1e3",
        ".inf",
        "-.inf",
        "yes",
        "no",
        "on",
        "12:30",
        "010",
        "0x1f",
        "1_000",
        "2026-01-31",
        "null",
        '"yes"',
        '"3e-05"',
        '"a\\x7fc"',
        '"a\\x85c"',
        '"\\u2028"',
        '"😀"',
        '"? a"',
        "[1, {a: 2.5}]",
        "'{{ $X }}'",
    ],
)
def test_prefect_reads_each_value_as_in_the_file(value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = f"deployments:\n- {{{ENTRY}, parameters: {{params: {value}}}}}\n"
    assert deploy_text(text, monkeypatch, tmp_path).file == yaml.safe_load(text)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "a", "name: x", "deployments:", "deployments: []", "deployments: {a: 1}", "deployments: [a]"]
    + [f"deployments: [{{{ENTRY.replace(part, other)}}}]" for part, other in (
        ("name: coordinate", "n: x"), ("name: coordinate", "name: 2026-01-31"), ("entrypoint: ", "e: "),
        ("{name: cpu}", "null"), ("{name: cpu}", "cpu"), ("{name: cpu}", "{}"), ("{name: cpu}", "{name: [a]}"),
    )]
    + [f"deployments: [{{{ENTRY}, schedules: {schedules}}}]" for schedules in (
        "a", "{slug: a}", "[text]", "[{cron: 0 2 * * *}]", "[{slug: a}, {slug: null}]", "[{slug: ''}]",
    )],
)  # fmt: skip
def test_a_file_that_lacks_a_part_is_refused_before_anything_changes(
    text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = Server(schedule("nightly", True), schedule(None, True))
    with pytest.raises(PipelineError, match=r"^prefect\.yaml") as error:
        deploy_text(text, monkeypatch, tmp_path, server)
    assert "\n" not in str(error.value)
    assert not server.pools
    assert server.schedules[1].slug is None


@pytest.mark.parametrize("entrypoint", ["a.b.my_flow", "fl/mine.py:my_flow", "mine.py:other"])
@pytest.mark.parametrize("active", [True, False])
def test_a_schedule_stays_whatever_the_flow_is_called(
    entrypoint: str, active: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = Server(schedule("nightly", active))
    server.entrypoint = entrypoint
    entry = ENTRY.replace("pipeline.workers.flows.coordinate", f'"{entrypoint}"')
    text = f"deployments: [{{{entry}, schedules: [{{slug: nightly, cron: 0 2 * * *, active: {not active}}}]}}]"
    assert deploy_text(text, monkeypatch, tmp_path, server).schedules() == {"nightly": active}


@pytest.mark.parametrize("active", [True, False])
def test_a_renamed_schedule_stays_as_the_one_that_it_replaces(
    active: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    schedules = f"[{{slug: new, replaces: nightly, cron: 0 2 * * *, active: {not active}}}]"
    text = f"deployments: [{{{ENTRY}, schedules: {schedules}}}]"
    assert deploy_text(text, monkeypatch, tmp_path, Server(schedule("nightly", active))).schedules() == {"new": active}


@pytest.mark.parametrize("schedules", ["", ", schedules: []", ", schedules: [{slug: hourly, interval: 3600}]"])
def test_a_schedule_that_the_file_no_longer_has_is_named(
    schedules: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(schedule("nightly", True))
    deploy_text(f"deployments: [{{{ENTRY}{schedules}}}]", monkeypatch, tmp_path, server)
    assert "coordinate/coordinate keeps the schedule nightly (on), which prefect.yaml does not have" in caplog.text


def test_what_prefect_fills_in_is_left_to_prefect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entry = ENTRY.replace("{name: cpu}", "{name: '{{ $POOL }}'}")
    server = Server()
    text = f"deployments: [{{{entry}, schedule: {{cron: 0 2 * * *}}}}, {{{ENTRY}}}]"
    assert deploy_text(text, monkeypatch, tmp_path, server).file == yaml.safe_load(text)
    assert server.pools == ["cpu"]


SUCCESS = "╭───────╮\n│ Deployment 'retrain/retrain' successfully created │\n╰───────╯\n"
ON_TOP = (
    "Invalid top-level fields in config file:\n\n  • build: not a list\n\n"
    "For valid prefect.yaml fields, see: https://x\n"
)
IN_DEPLOYMENTS = (
    "Invalid fields in deployments:\n\n  • coordinate: schedules\n  • retrain: name, tags\n\n"
    "For valid deployment fields and examples, go to: https://x\n\n"
)
SKIPPED = (
    "Skipping deployment configuration due to validation errors.\nAn entrypoint must be provided:\n\n"
    "        prefect deploy path/to/file.py:flow_function\n\n"
    "You can also provide an entrypoint in a prefect.yaml file.\n"
)
FRAMES = 'Traceback (most recent call last):\n  File "a.py", line 1, in b\n    c()\n'


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("", "exit code 1"),
        ("\n\n", "exit code 1"),
        ("No such pool: gpu.\n", "No such pool: gpu."),
        (f"{SUCCESS}\nError while applying deployment:\n1 problem\n  in field x\n", "1 problem in field x"),
        (f"{SUCCESS}Error while applying deployment: \n", "deployment: Prefect gives no cause;"),
        (f"{FRAMES}httpx.ConnectError: refused\nAn exception occurred.\n", "failed: httpx.ConnectError: refused"),
        (f"{FRAMES}E: first\n\nDuring ...:\n\n{FRAMES}F: problem\nx\n  long\n", "failed: F: problem x long"),
        (f"{FRAMES}httpx.ReadTimeout\n", "httpx.ReadTimeout"),
        (
            f"{IN_DEPLOYMENTS}{SKIPPED}",
            "failed: Invalid fields in deployments: coordinate: schedules; retrain: name, tags. Correct them",
        ),
        (
            f"{ON_TOP}{IN_DEPLOYMENTS}{SKIPPED}{FRAMES}E: x\n",
            "failed: Invalid top-level fields in config file: build: not a list Invalid fields in deployments: coord",
        ),
        (ON_TOP, "failed: Invalid top-level fields in config file: build: not a list. Correct them in prefect.yaml."),
    ],
)  # fmt: skip
def test_the_reason_of_a_failed_deploy_is_one_line_and_never_empty(
    output: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PipelineError) as error:
        deploy(monkeypatch, Server(), Prefect(output, 1))
    assert reason in str(error.value)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("prefect deploy failed: ")
    assert "successfully" not in str(error.value)
