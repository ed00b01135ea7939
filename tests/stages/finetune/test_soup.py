"""The mean of the weights of several trainings: for every method and kind of target, exactly their mean."""

import hashlib
import json
import logging
import weakref
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from stages.finetune import train as training
from stages.finetune.__main__ import main
from stages.finetune.soup import Bowl, Member, apart, mean_curve, member_seeds
from stages.finetune.train import Job
from stages.finetune.training.fit import Fitted
from stages.paths import Paths
from tests.stages.finetune.runs import params

METHODS: list[dict[str, Any]] = [
    {"method": "full"},
    {"method": "partial", "frozen_layers": 1},
    {"method": "gradual", "frozen_epochs": 1},
    {"method": "lora"},
    {"method": "full", "compact_vocabulary": False, "ema_decay": 0.9},
]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, torch.Tensor]]:
    """Collects the weights of each training."""
    found: list[dict[str, torch.Tensor]] = []
    run = Job.run

    def watched(*args: Any) -> Any:
        result = run(*args)
        found.append({name: weight.detach().clone() for name, weight in result.model.named_parameters()})
        return result

    monkeypatch.setattr(Job, "run", watched)
    return found


@pytest.mark.parametrize("method", METHODS, ids=lambda values: "-".join(map(str, values.values())))
def test_the_weights_are_the_mean_of_trainings_from_one_start(
    paths: Paths, trained: list[dict[str, torch.Tensor]], method: dict[str, Any]
) -> None:
    main(params(soup=3, **method), paths, 7)
    saved = load_file(paths.finetuned(7) / "model.safetensors")
    assert len(trained) == 3
    assert set(saved) <= set(trained[0])
    for name, values in saved.items():
        of_trainings = [weights[name] for weights in trained]
        torch.testing.assert_close(values, torch.stack(of_trainings).mean(0), msg=name)
        if all(torch.equal(weight, of_trainings[0]) for weight in of_trainings):
            assert torch.equal(values, of_trainings[0]), name  # to the last bit
    moved = [name for name in saved if not torch.equal(trained[0][name], trained[1][name])]
    assert "classifier.weight" in moved  # two trainings differ


def test_a_soup_notes_what_it_is_of(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    timing = main(params(soup=2, max_epochs=5, patience=1, learning_rate=1e-2), paths, 7)
    stats, curve = json.loads(paths.finetune_stats(7).read_text()), pd.read_csv(paths.curve(7))
    epochs = [training["epochs"] for training in stats["soup"]]
    assert timing["epochs"] == sum(epochs) == caplog.text.count(" of 5: ")
    assert stats["epochs"] == len(curve) == max(epochs)
    assert list(curve.epoch) == list(range(1, max(epochs) + 1))
    assert stats["best_epoch"] == curve.epoch[curve.val_loss[: min(epochs)].idxmin()]  # of those that all had
    assert [training["value"] for training in stats["soup"]] != [stats["monitor"]["value"]] * 2
    assert "training 2 of 2, whose weights are averaged" in caplog.text


@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_value_on_val_is_that_of_the_saved_model(paths: Paths, method: str) -> None:
    """A soup of one training that is repeated is that training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "member_seeds", lambda seed, count: [seed] * count)
        main(params(soup=2, method=method), paths, 7)
    stats = json.loads(paths.finetune_stats(7).read_text())
    assert stats["monitor"]["value"] == pytest.approx(stats["soup"][0]["value"], abs=1e-6)


def test_one_training_of_a_soup_is_what_the_seed_gives_alone(
    paths: Paths, trained: list[dict[str, torch.Tensor]]
) -> None:
    main(params(soup=2), paths, 7)
    main(params(), paths, 7)
    for name, values in trained[2].items():
        assert torch.equal(values, trained[0][name]), name


def test_trainings_that_end_too_far_apart_are_told(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    main(params(soup=2, learning_rate=1e-2, max_epochs=60, patience=None, layer_decay=1.0), paths, 9)
    told = json.loads(paths.finetune_stats(9).read_text()).get("stuck", "")
    assert "they ended too far apart. Lower finetune.learning_rate, or set finetune.soup to 1." in told
    assert told in caplog.text


@pytest.mark.parametrize(
    ("value", "mode", "worse"), [(0.6, "min", True), (0.57, "min", False), (0.4, "max", True), (0.44, "max", False)]
)
def test_worse_goes_by_the_monitor(value: float, mode: str, worse: bool) -> None:
    members = [Member(Fitted([{"epoch": 1}], 1, "val.mcc", each, 1, 1.0), {}, None) for each in (0.45, 0.55)]
    assert bool(apart(members, value, mode=mode)) == worse
    assert apart(members, None, mode=mode) is None


def test_no_model_of_an_earlier_training_stays_in_memory(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[int] = []
    models: list[weakref.ref[Any]] = []
    load = training.load_encoder

    def watched(*args: Any, **options: Any) -> Any:
        alive.append(sum(model() is not None for model in models))
        models.append(weakref.ref(model := load(*args, **options)))
        return model

    monkeypatch.setattr(training, "load_encoder", watched)
    main(params(soup=4, max_epochs=1), paths, 7)
    assert alive == [0, 0, 0, 0]


def bowl_of(folder: Path, trainings: int) -> bytes:
    """Save the mean of so many trainings, and return the file's bytes."""
    bowl = Bowl(folder)
    for number in range(len(bowl.members), trainings):
        model: Any = torch.nn.Linear(2, 2)
        bowl.add(model, Member(Fitted([{"epoch": 1}], 1, "val.loss", float(number), 1, 1.0), {}, None))
        bowl.save()
    [path] = folder.glob("mean-*")
    return path.read_bytes()


@pytest.mark.parametrize(("damaged", "known"), [((), 2), ((1,), 2), ((2,), 1), ((1, 2), 0)], ids=str)
def test_of_two_files_the_sound_one_with_most_trainings_is_read(
    tmp_path: Path, damaged: tuple[int, ...], known: int
) -> None:
    """Two are left where a run is killed before it has removed the older one."""
    contents = {count: bowl_of(tmp_path / "bowl", count) for count in (1, 2)}
    for count, content in contents.items():
        path = tmp_path / f"bowl/mean-{hashlib.sha256(content).hexdigest()}.safetensors"
        path.write_bytes(content[:100] if count in damaged else content)
    (tmp_path / "bowl/mean-x.safetensors").mkdir()
    (tmp_path / "bowl/mean-y.safetensors").symlink_to("nowhere")
    bowl = Bowl(tmp_path / "bowl")
    assert len(bowl.members) == known
    assert len(list((tmp_path / "bowl").iterdir())) == 2 - len(damaged)


def test_a_mean_curve_is_over_the_trainings_that_had_the_epoch() -> None:
    short, long = [{"epoch": 1, "val_loss": 1.0}], [{"epoch": 1, "val_loss": 3.0}, {"epoch": 2, "val_loss": 5.0}]
    assert mean_curve([short, long]) == [{"epoch": 1, "val_loss": 2.0}, {"epoch": 2, "val_loss": 5.0}]


def test_more_trainings_begin_with_the_same_seeds() -> None:
    assert member_seeds(7, 5)[:3] == member_seeds(7, 3)
    assert len({*member_seeds(7, 5), *member_seeds(8, 5)}) == 10


@pytest.mark.parametrize("options", [{"fast_dev_run": True}, {"limit_val_batches": 1}, {"monitor": "val.mcc"}])
def test_a_soup_of_a_try_is_made(paths: Paths, options: dict[str, Any]) -> None:
    main(params(soup=2, **options), paths, 7)
    value = json.loads(paths.finetune_stats(7).read_text())["monitor"]["value"]
    assert (value is None) == ("fast_dev_run" in options)
