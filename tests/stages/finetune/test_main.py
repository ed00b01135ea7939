import csv
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stages.files import sha256
from stages.finetune import prepare
from stages.finetune.__main__ import main
from stages.finetune.lightning_module import Classifier
from stages.params import Params, read_params
from stages.paths import Paths
from stages.schema import Head

from .conftest import write_encoder, write_tokens

ROOT = Path(__file__).parents[3]


def params(**finetune: object) -> Params:
    defaults = read_params(ROOT / "recipes/default.yaml")
    options = defaults.finetune.model_copy(update={"batch_size": 16, "accelerator": "cpu", "max_epochs": 2} | finetune)
    return defaults.model_copy(update={"finetune": options})


def test_writes_its_files_and_no_others(paths: Paths) -> None:
    before = {file for file in paths.root.rglob("*") if file.is_file()}
    main(params(), paths, 7)
    written = {file.relative_to(paths.root).as_posix() for file in paths.root.rglob("*") if file.is_file()} - {
        file.relative_to(paths.root).as_posix() for file in before
    }
    assert written == {
        "data/finetune/7/curve.csv",
        "data/finetune/7/stats.json",
        "data/finetune/7/model/config.json",
        "data/finetune/7/model/model.safetensors",
        "data/finetune/7/model/tokenizer.json",
        "data/finetune/7/model/tokenizer_config.json",
    }
    with paths.curve(7).open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "epoch",
        "learning_rate",
        "train_loss",
        "val_loss",
        "val_accuracy",
        "val_macro_f1",
        "val_mcc",
    ]
    assert [row["epoch"] for row in rows] == ["1", "2"]
    stats = json.loads(paths.finetune_stats(7).read_text())
    assert stats["rows"] == {"train": 90, "val": 30}
    assert stats["parameters"]["trainable"] == stats["parameters"]["total"]


def test_one_seed_gives_the_same_bytes_and_another_does_not(paths: Paths) -> None:
    weights = paths.finetuned(7) / "model.safetensors"
    outputs = [weights, paths.curve(7), paths.finetune_stats(7), paths.finetuned(7) / "config.json"]
    main(params(), paths, 7)
    first = [sha256(path) for path in outputs]
    main(params(), paths, 7)
    assert [sha256(path) for path in outputs] == first
    main(params(), paths, 8)
    assert sha256(paths.finetuned(8) / "model.safetensors") != first[0]


def test_learns_what_the_tokens_say(paths: Paths) -> None:
    main(params(max_epochs=25, learning_rate=1e-2, monitor="val/macro_f1", patience=None), paths, 7)
    stats = json.loads(paths.finetune_stats(7).read_text())
    assert stats["monitor"]["value"] > 0.5


@pytest.mark.parametrize("weights", ["balanced", {"bad": 1.0, "fair": 2.0, "good": 3.0}])
def test_class_weights_change_what_is_learnt(paths: Paths, weights: object) -> None:
    main(params(), paths, 7)
    plain = sha256(paths.finetuned(7) / "model.safetensors")
    main(params(class_weights=weights), paths, 7)
    assert sha256(paths.finetuned(7) / "model.safetensors") != plain


@pytest.mark.parametrize(
    ("options", "steps", "epochs"),
    [({"limit_train_batches": 2}, 4, 2), ({"limit_train_batches": 0.5}, 6, 2), ({"fast_dev_run": True}, 1, 1)],
)
def test_trying_out_makes_fewer_steps(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, options: dict[str, object], steps: int, epochs: int
) -> None:
    made, step = [], Classifier.training_step
    monkeypatch.setattr(Classifier, "training_step", lambda *args: made.append(1) or step(*args))
    main(params(limit_val_batches=1, **options), paths, 7)
    assert len(made) == steps
    assert json.loads(paths.finetune_stats(7).read_text())["epochs"] == epochs


def test_label_smoothing_and_layer_decay_change_what_is_learnt(paths: Paths) -> None:
    weights = set()
    for options in ({}, {"label_smoothing": 0.1}, {"layer_decay": 0.5}, {"ema_decay": 0.9}, {"schedule": "cosine"}):
        main(params(**options), paths, 7)
        weights.add(sha256(paths.finetuned(7) / "model.safetensors"))
    assert len(weights) == 5


def test_a_frozen_encoder_runs_once_for_all_heads(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded, encode = [], prepare.encode
    monkeypatch.setattr(prepare, "encode", lambda *args, **kwargs: encoded.append(1) or encode(*args, **kwargs))
    fresh = sha256(_trained(paths, method="frozen", learning_rate=1e-2))
    assert len(encoded) == 2  # train and val
    main(params(method="frozen"), paths, 8)
    main(params(method="frozen", head=Head(hidden=12, dropout=0.1)), paths, 8)
    assert sha256(_trained(paths, method="frozen", learning_rate=1e-2)) == fresh
    assert len(encoded) == 2
    write_encoder(paths.encoder, dropout=0.2)  # its config has changed, so it is another encoder
    main(params(method="frozen"), paths, 7)
    assert len(encoded) == 4


def test_kept_features_train_the_head_that_the_encoder_in_every_epoch_trains(paths: Paths) -> None:
    write_tokens(paths, longest=4)  # rows of one length come in the same batches either way
    once = load_file(_trained(paths, method="frozen", learning_rate=1e-2))
    every = load_file(_trained(paths, method="gradual", frozen_epochs=11, learning_rate=1e-2))
    assert once.keys() == every.keys()
    for name, values in once.items():
        assert torch.allclose(values, every[name], atol=1e-5), name


def test_loggers_have_the_curve(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    before = sha256(_trained(paths))
    assert sha256(_trained(paths, loggers=["tensorboard", "mlflow"])) == before
    with paths.curve(7).open() as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    folder = paths.root / ".retune/logs/finetune-7"
    events = accumulator.EventAccumulator(str(next(folder.rglob("events.out.*")).parent)).Reload()
    assert [event.value for event in events.Scalars("val/loss")] == pytest.approx(losses, rel=1e-5)
    assert {"train_loss", "learning_rate", "val/mcc"} <= set(events.Tags()["scalars"])
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("retune").experiment_id])
    values = [metric.value for metric in client.get_metric_history(run.info.run_id, "val/loss")]
    assert values == pytest.approx(losses, rel=1e-5)
    assert run.info.status == "FINISHED"
    assert run.data.params["learning_rate"] == str(params().finetune.learning_rate)


def _trained(paths: Paths, **options: object) -> Path:
    main(params(**options), paths, 7)
    return paths.finetuned(7) / "model.safetensors"
