"""Who counts as lost, and when; who is asked again, and how often."""

from uuid import uuid4

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling, Pending, Running, Scheduled, State

from pipeline.workers import heartbeat
from pipeline.workers.heartbeat import BEAT_SECONDS, LABEL, LOST_SECONDS, PROBE_BEATS, STARTUP_FACTOR, Watch, patient


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def flow_run(state: State, beat: str | None = "1") -> FlowRun:
    return FlowRun(id=RUN, flow_id=uuid4(), state=state, labels={LABEL: beat} if beat else {})


RUN = uuid4()


@pytest.mark.parametrize(
    ("state", "beat", "factor"),
    [
        (Running(), "1", 1),
        (Cancelling(), "1", 1),
        (Running(), None, STARTUP_FACTOR),
        (Pending(), None, STARTUP_FACTOR),
    ],
)
def test_silence_is_found_within_the_bound(state: State, beat: str | None, factor: float) -> None:
    clock = Clock()
    probed = []
    watch = Watch(probed.append, clock)
    assert watch.lost(flow_run(state, beat)) is None
    clock.now = LOST_SECONDS * factor
    assert watch.lost(flow_run(state, beat)) is None
    assert probed == []
    clock.now += 1
    assert watch.lost(flow_run(state, beat)) is None
    assert probed == [RUN]
    clock.now += PROBE_BEATS * BEAT_SECONDS
    assert f"for {clock.now:.0f} s" in str(watch.lost(flow_run(state, beat)))


def test_a_sign_of_life_starts_the_count_again() -> None:
    clock = Clock()
    watch = Watch(lambda _: None, clock)
    watch.lost(flow_run(Running(), "1"))
    clock.now = LOST_SECONDS
    assert watch.lost(flow_run(Running(), "2")) is None
    clock.now += LOST_SECONDS
    assert watch.lost(flow_run(Running(), "2")) is None
    watch.forget()
    clock.now += 1
    assert watch.lost(flow_run(Running(), "2")) is None, "nobody could be heard while the API was away"


def test_nobody_is_lost_because_the_database_stalls() -> None:
    clock = Clock()

    def stall(_: object) -> None:
        clock.now += 60

    watch = Watch(stall, clock)
    watch.lost(flow_run(Running(), "1"))
    clock.now = LOST_SECONDS + 1
    assert watch.lost(flow_run(Running(), "1")) is None
    clock.now += BEAT_SECONDS
    assert watch.lost(flow_run(Running(), "2")) is None, "what it had written arrives"
    clock.now += LOST_SECONDS
    assert watch.lost(flow_run(Running(), "2")) is None


def test_a_run_that_waits_for_a_worker_is_never_lost() -> None:
    clock = Clock()
    watch = Watch(lambda _: None, clock)
    watch.lost(flow_run(Scheduled(), None))
    clock.now = 1e6
    assert watch.lost(flow_run(Scheduled(), None)) is None


def test_an_api_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat.time, "sleep", lambda _: None)
    answers = iter([httpx.ConnectError("away"), httpx.ReadTimeout("slow"), "here"])

    def call() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert patient(call) == "here"
    with pytest.raises(httpx.ConnectError, match="away"):
        patient(lambda: (_ for _ in ()).throw(httpx.ConnectError("away")), seconds=0)
    response = httpx.Response(422, request=httpx.Request("POST", "http://x"))
    refusal = httpx.HTTPStatusError("no", request=response.request, response=response)
    with pytest.raises(httpx.HTTPStatusError, match="no"):
        patient(lambda: (_ for _ in ()).throw(refusal))
