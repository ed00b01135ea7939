"""Expected times: they scale with the work, and their ranges hold what happens."""

import json
import random
from typing import Any

import pytest

from pipeline.planning.forecast import ENCODER, Forecast, forecast
from pipeline.planning.plan import make_plan
from pipeline.planning.work import Work, stage_work, token_cost
from pipeline.repository.digests import Digest
from pipeline.repository.graph import LockEntry, Stage, build_graph
from pipeline.repository.snapshot import Recorded, Run
from tests.pipeline.planning.memory import MemorySnapshot

LENGTHS = {10: 100, 50: 100, 200: 10}
BASE: dict[str, dict[str, Any]] = {
    "tokenize": {"max_length": 128},
    "split": {"val": 0.1, "test": 0.1, "train_fraction": 1.0},
    "finetune": {"method": "full", "max_epochs": 4, "batch_size": 16, "patience": None, "limit_train_batches": None},
    "evaluate": {"resamples": 2000},
    "crossfit": {"folds": [1, 2, 3, 4, 5], "method": "finetune"},
    "extrapolate": {"seeds": [42], "draws": 10},
}


def work(group: str, section: str = "finetune", lengths: dict[int, int] = LENGTHS, **values: Any) -> float:
    found = stage_work(group, {**BASE, section: {**BASE[section], **values}}, lengths)
    assert found is not None
    return found.most


@pytest.mark.parametrize(
    ("group", "section", "values", "least", "most"),
    [
        ("finetune", "finetune", {"max_epochs": 100}, 25, 25),
        ("finetune", "finetune", {"max_epochs": 1}, 0.25, 0.25),
        ("finetune", "finetune", {"soup": 3}, 3, 3),
        ("crossfit", "finetune", {"soup": 3}, 3, 3),
        ("finetune", "split", {"train_fraction": 0.5}, 0.45, 0.6),  # val is read whole
        ("finetune", "finetune", {"limit_train_share": 0.5}, 0.45, 0.6),
        ("finetune", "finetune", {"limit_train_batches": 2}, 0.15, 0.35),
        ("finetune", "tokenize", {"max_length": 20}, 0.2, 0.6),
        ("finetune", "tokenize", {"max_length": 500}, 1.05, 1.2),  # few rows are longer than 128
        ("finetune", "finetune", {"batch_size": 1}, 1.5, 5),
        ("finetune", "finetune", {"batch_size": 64}, 0.6, 1),
        ("finetune", "finetune", {"method": "frozen"}, 0.01, 0.2),
        ("finetune", "finetune", {"learning_rate": 1.0}, 1, 1),
        ("evaluate", "evaluate", {"resamples": 20000}, 1.1, 10),
        ("evaluate", "tokenize", {"max_length": 20}, 0.2, 0.7),
        ("tokenize", "finetune", {"max_epochs": 100}, 1, 1),
        ("crossfit", "finetune", {"max_epochs": 100}, 25, 25),
        ("crossfit", "crossfit", {"folds": [1, 2]}, 0.55, 0.7),  # half of the rows train, where four fifths did
        ("crossfit", "crossfit", {"folds": "many"}, 0.55, 0.7),
        ("crossfit", "crossfit", {"method": "frozen"}, 0.001, 0.15),
        ("extrapolate", "extrapolate", {"draws": 200}, 1.5, 20),
        ("extrapolate", "extrapolate", {"draws": "many"}, 1, 1),
    ],
)
def test_the_work_scales_with_what_changed(
    group: str, section: str, values: dict[str, Any], least: float, most: float
) -> None:
    assert least <= work(group, section, **values) / work(group) <= most


@pytest.mark.parametrize("group", ["download", "tokenize", "split", "finetune", "evaluate", "extrapolate", "report"])
def test_twice_the_rows_are_twice_the_work(group: str) -> None:
    twice = {length: 2 * rows for length, rows in LENGTHS.items()}
    assert work(group, lengths=twice) == pytest.approx(2 * work(group))
    assert stage_work(group, BASE, {}) is None


@pytest.mark.parametrize("value", [None, "many", True, -1, float("nan"), float("inf"), 10**400, [], {}])
@pytest.mark.parametrize("key", ["max_epochs", "batch_size", "patience", "limit_train_share"])
def test_a_value_that_the_stage_will_refuse_breaks_no_plan(key: str, value: Any) -> None:
    assert work("finetune", **{key: value}) > 0
    assert stage_work("finetune", {"finetune": value}, LENGTHS)


def test_training_that_may_stop_early_widens_the_range_downwards() -> None:
    sections = {**BASE, "finetune": {**BASE["finetune"], "max_epochs": 50, "patience": 2}}
    found = stage_work("finetune", sections, LENGTHS)
    assert found is not None
    assert found.least == pytest.approx(found.most * 3 / 50)
    expected = forecast([Run(20, found.most)], found)
    assert expected is not None
    assert expected.low < 8 < expected.seconds == pytest.approx(20)


def test_one_size_assumes_a_usual_start_and_two_sizes_tell_it() -> None:
    hundred = Work(100, 100)
    one = forecast([Run(10, 1)], hundred)
    two = forecast([Run(10, 1), Run(19, 10)], hundred)
    assert one is not None
    assert two is not None
    assert one.seconds == pytest.approx(6 + 4 * 100)
    assert one.low < 220 < one.high / 4
    assert two.seconds == pytest.approx(109)
    assert two.high - two.low < one.high - one.low


def test_runs_that_differ_widen_the_range() -> None:
    alike, unlike = (forecast([Run(seconds, 1) for seconds in runs], Work(1, 1)) for runs in ((9, 10, 11), (5, 10, 20)))
    assert alike is not None
    assert unlike is not None
    assert unlike.low < alike.low < 10 < alike.high < unlike.high


@pytest.mark.parametrize("runs", [[Run(0, 1)], [Run(0, 0)], [Run(1, 1), Run(0, 5)], [Run(9, 1), Run(1, 9)]])
def test_odd_earlier_runs_give_a_forecast_all_the_same(runs: list[Run]) -> None:
    expected = forecast(runs, Work(1000, 1000))
    assert expected is not None
    assert 0 <= expected.low <= expected.seconds <= expected.high


def test_without_an_earlier_run_nothing_is_known() -> None:
    assert forecast([], Work(1, 1)) is None
    assert forecast([Run(8)], None) == forecast([Run(8)], Work(5, 5))


def test_80_percent_of_the_ranges_hold_over_random_changes() -> None:
    chance, runs, held = random.Random(0), [], 0
    for _ in range(40):
        size = chance.choice([1, 2, 4, 8, 16]) * chance.uniform(0.5, 1.5)
        seconds = (5 + 3 * size) * chance.lognormvariate(0, 0.2)
        expected: Forecast | None = forecast(runs, Work(size, size))
        held += expected is not None and expected.low <= seconds <= expected.high
        runs.append(Run(seconds, size))
    assert held >= 32


def test_a_plan_scales_the_last_run_by_the_parameters_of_dvc_lock() -> None:
    stage = Stage("finetune@1", "train", params={"params.yaml": ("finetune",)}, outs=("model",))
    lock = {"finetune@1": LockEntry("train", {}, {"params.yaml": {"finetune": {"max_epochs": 1}}}, {})}
    snapshot = MemorySnapshot(
        lock=lock, values={"params.yaml": {"finetune": {"max_epochs": 100}}}, times={"finetune@1": 20.0}, tokens=LENGTHS
    )
    (plan,) = make_plan(build_graph([stage]), snapshot)
    assert plan.seconds == pytest.approx(6 + 14 * 100)
    assert plan.range is not None
    assert plan.range[0] < plan.seconds < plan.range[1]
    assert set(plan.as_json()) == {"stage", "state", "reasons", "seconds", "seconds_low", "seconds_high"}


CONFIGS = {
    "tiny": {"hidden_size": 128, "num_hidden_layers": 2, "intermediate_size": 512},
    "bundled": {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536},
    "distilbert-base": {"dim": 768, "n_layers": 6, "hidden_dim": 3072},
    "bert-base": {"hidden_size": 768, "num_hidden_layers": 12, "intermediate_size": 3072},
    "gpt2": {"n_embd": 768, "n_layer": 12, "n_inner": None},
    "bert-large": {"hidden_size": 1024, "num_hidden_layers": 24, "intermediate_size": 4096},
    "funnel": {"d_model": 768, "block_sizes": [4, 4, 4], "d_inner": 3072},
    "of several kinds of input": {
        "text_config": {"hidden_size": 768, "num_hidden_layers": 12, "intermediate_size": 3072}
    },
}
IN_LAYERS = {"tiny": 0.4, "bundled": 10.6, "distilbert-base": 42.5, "bert-base": 85, "gpt2": 85, "bert-large": 302}
IN_LAYERS |= {"funnel": 85, "of several kinds of input": 85}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_token_costs_what_the_layers_of_an_encoder_weigh(name: str) -> None:
    """In millions of weights, as published, of the encoders without their embeddings."""
    cost = token_cost(CONFIGS[name]) / token_cost(CONFIGS["bundled"])
    assert cost == pytest.approx(IN_LAYERS[name] / IN_LAYERS["bundled"], rel=0.03)
    assert token_cost(CONFIGS["bundled"]) == 1


@pytest.mark.parametrize("value", [None, "many", True, -1, float("nan"), float("inf"), 10**400, [], {}, 1e20])
def test_a_config_that_makes_no_sense_breaks_no_plan(value: Any) -> None:
    for key in ("hidden_size", "num_hidden_layers", "intermediate_size"):
        assert 0 < token_cost({**CONFIGS["bundled"], key: value}) < float("inf")
    assert token_cost({}) == 1


@pytest.mark.parametrize("group", ["finetune", "evaluate", "crossfit", "extrapolate"])
def test_a_larger_encoder_takes_longer_where_it_computes(group: str) -> None:
    base, large = (stage_work(group, BASE, LENGTHS, cost=cost) for cost in (1.0, 8.0))
    assert base is not None
    assert large is not None
    assert 1 < large.most / base.most <= 8
    assert large.done({}) == pytest.approx(large.most)
    assert large.done({"computed_tokens": 0}) == pytest.approx(max(large.most - large.read, 1))


@pytest.mark.parametrize("group", ["evaluate", "extrapolate"])
def test_half_of_the_tokens_are_half_of_what_is_read_whatever_the_encoder(group: str) -> None:
    tokens = stage_work(group, BASE, LENGTHS)
    large = stage_work(group, BASE, LENGTHS, cost=8.0)
    assert tokens is not None
    assert large is not None
    assert large.done({"computed_tokens": tokens.read / 2}) == pytest.approx(large.most - large.read / 2)


def test_a_larger_encoder_makes_no_other_stage_longer() -> None:
    base, large = (stage_work("tokenize", BASE, LENGTHS, cost=cost) for cost in (1.0, 8.0))
    assert base is not None
    assert large is not None
    assert large.most == base.most


def project(now: str, *, source: str = "b", **found: Any) -> MemorySnapshot:
    """A project whose stages ran with the bundled encoder, from place `a`; `now` is another one, from `source`.

    Args:
        now: Its name.
        source: Where params.yaml has it from.
        found: What differs: `fetched`, if the run-cache has it.
    """
    old, new = Digest("old.dir"), Digest("new.dir")
    lock = {
        "download@model": LockEntry("fetch", {}, {"params.yaml": {"download.model": {"source": "a"}}}, {ENCODER: old}),
        "finetune@1": LockEntry("finetune", {ENCODER: old}, {}, {}),
    }
    snapshot = MemorySnapshot(
        lock=lock,
        values={"params.yaml": {**BASE, "download.model": {"source": source}}},
        contents={
            ("old.dir", "config.json"): json.dumps(CONFIGS["bundled"]).encode(),
            ("new.dir", "config.json"): json.dumps(CONFIGS[now]).encode(),
        },
        tokens=LENGTHS,
    )
    then = work("finetune")
    snapshot.noted = {"finetune": (Run(46.0, then), Run(86.0, 2 * then)), "tokenize": (Run(9.0, work("tokenize")),)}
    if found.get("fetched"):
        snapshot.records = {"download@model": Recorded(LockEntry("fetch", {}, {}, {ENCODER: new}), "cache")}
        snapshot.cache = {"new.dir"}
    return snapshot


FETCHING = build_graph(
    [
        Stage("download@model", "fetch", (), {"params.yaml": ("download.model",)}, (ENCODER,)),
        Stage("tokenize", "tokenize", (f"{ENCODER}/tokenizer.json",), {}, ("data/tokenize",)),
        Stage("finetune@1", "finetune", (ENCODER, "data/tokenize"), {}, ("data/finetune/1/model",)),
        Stage("evaluate@1", "evaluate", ("data/finetune/1/model", "data/tokenize"), {}, ("data/evaluate",)),
    ]
)
LARGER = IN_LAYERS["bert-base"] / IN_LAYERS["bundled"]


def seconds(snapshot: MemorySnapshot, **options: Any) -> dict[str, float | None]:
    return {plan.stage: plan.seconds for plan in make_plan(FETCHING, snapshot, **options)}


def test_an_encoder_that_was_fetched_before_is_forecast_by_its_size() -> None:
    assert seconds(project("bert-base", fetched=True))["finetune@1"] == pytest.approx(6 + 40 * LARGER, rel=0.05)
    assert seconds(project("bundled", fetched=True))["finetune@1"] == pytest.approx(46, rel=0.01)


def test_the_last_run_is_scaled_from_the_encoder_that_it_had() -> None:
    """Without the notes of earlier runs; the new encoder was fetched, and nothing has run with it."""
    snapshot = project("bert-base", fetched=True)
    fetched = LockEntry("fetch", {}, {"params.yaml": {"download.model": {"source": "b"}}}, {ENCODER: Digest("new.dir")})
    snapshot.lock["download@model"] = fetched
    snapshot.noted, snapshot.times = {}, {"finetune@1": 46.0}
    assert seconds(snapshot)["finetune@1"] == pytest.approx(6 + 40 * LARGER, rel=0.05)


def test_of_an_encoder_from_another_place_nobody_knows_how_long_it_takes() -> None:
    found = seconds(project("bert-base"))
    assert (found["finetune@1"], found["evaluate@1"]) == (None, None)
    assert found["tokenize"] == pytest.approx(9)
    without_lock = project("bert-base")
    without_lock.lock = {}
    assert seconds(without_lock)["finetune@1"] is None


@pytest.mark.parametrize("running", [(), ("download@model",)])
def test_an_encoder_that_is_fetched_again_from_its_place_is_the_same(running: tuple[str, ...]) -> None:
    found = seconds(project("bert-base", source="a"), running=running)
    assert found["finetune@1"] == pytest.approx(46, rel=0.01)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b"[" * 100_000, b'{"hidden_size": "many"}', b"\xff"])
def test_a_config_that_tells_nothing_is_no_size(content: bytes) -> None:
    snapshot = project("bert-base", fetched=True)
    snapshot.contents["new.dir", "config.json"] = content
    assert seconds(snapshot)["finetune@1"] == pytest.approx(46, rel=0.01)


def test_a_config_that_is_not_here_is_no_forecast() -> None:
    snapshot = project("bert-base", fetched=True)
    snapshot.contents["new.dir", "config.json"] = None
    assert seconds(snapshot)["finetune@1"] is None


def test_a_plan_reads_the_encoder_s_config_no_more_often_with_more_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    read, snapshot = [], project("bert-base", fetched=True)
    monkeypatch.setattr(snapshot, "content", lambda folder, name: read.append(folder) or b"{}")
    more = [
        Stage(f"finetune@{seed}", "finetune", (ENCODER,), {}, (f"data/finetune/{seed}/model",)) for seed in range(9)
    ]
    snapshot.lock |= {stage.name: LockEntry("finetune", {ENCODER: Digest("old.dir")}, {}, {}) for stage in more}
    make_plan(build_graph([FETCHING.stages[0], *more]), snapshot)
    assert len(read) == 2
