import csv
import json
from pathlib import Path

import pytest

from stages.files import sha256
from stages.finetune.__main__ import main
from stages.finetune.classifier import Classifier
from stages.params import Params, read_params
from stages.paths import Paths

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
