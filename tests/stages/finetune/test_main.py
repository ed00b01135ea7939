import csv
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from stages.files import sha256
from stages.finetune import train as finetune
from stages.finetune.__main__ import main
from stages.finetune.inputs import read_inputs
from stages.params import Params
from stages.paths import Paths
from stages.schema import Machine
from stages.tokens import open_tokens
from tests.stages.finetune.runs import params
from tests.stages.finetune.tiny import write_encoder, write_split, write_tokens

MACHINE: dict[str, Any] = {  # another value than the default for each setting
    "num_workers": 2,
    "checkpoint_minutes": 1e-9,
    "loggers": ["tensorboard", "mlflow"],
    "unpack_limit_mb": 1,
    "kept_rows_mb": 0,
    "gradient_checkpointing": True,
}


def test_writes_its_files_and_no_others(paths: Paths) -> None:
    before = {file for file in paths.root.rglob("*") if file.is_file()}
    main(params(), paths, 7)
    written = {file.relative_to(paths.root).as_posix() for file in paths.root.rglob("*") if file.is_file()} - {
        file.relative_to(paths.root).as_posix() for file in before
    }
    assert written == {
        ".retune/rates.json",
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
    main(params(max_epochs=25, learning_rate=1e-2, monitor="val.macro_f1", patience=None), paths, 7)
    stats = json.loads(paths.finetune_stats(7).read_text())
    assert stats["monitor"]["value"] > 0.5


@pytest.mark.usefixtures("bf16_units")
@pytest.mark.parametrize(
    ("limit", "wanted", "taken"), [("", "auto", "bf16"), ("avx512_core", "auto", "32"), ("", "32", "32")]
)
def test_the_precision_that_was_taken_is_noted(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, limit: str, wanted: str, taken: str
) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    precisions: list[str] = []
    fit = finetune.fit
    monkeypatch.setattr(finetune, "fit", lambda *args, **kw: precisions.append(args[3].precision) or fit(*args, **kw))
    main(params(precision=wanted, max_epochs=1), paths, 7)
    assert json.loads(paths.finetune_stats(7).read_text())["precision"] == taken
    assert precisions == [{"32": "32-true", "bf16": "bf16-mixed"}[taken]]


def test_a_training_says_how_fast_it_was(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    timing = main(params(max_epochs=1), paths, 7)
    tokens = open_tokens(paths.tokens).lengths[read_inputs(paths).train].sum()
    assert timing["tokens_per_second"] == pytest.approx(tokens / timing["train_seconds"], rel=0.3)
    assert 0 < timing["share_of_matrix_rate"] < 1
    assert "of the rate of matrix products" in caplog.text


@pytest.mark.parametrize("kept_rows_mb", [0, 10])
def test_a_frozen_encoder_says_what_it_computed_and_how_fast(paths: Paths, kept_rows_mb: int) -> None:
    values = params(method="frozen", max_epochs=2)
    values = values.model_copy(
        update={"machine": Machine(**MACHINE | {"loggers": [], "num_workers": 0, "kept_rows_mb": kept_rows_mb})}
    )
    first, second = main(values, paths, 7), main(values, paths, 8)
    assert first["epochs"] == 2
    assert first["computed_tokens"] > 0
    assert first["tokens_per_second"] > 0
    kept = bool(kept_rows_mb)
    assert (first["rows_kept"], second["rows_kept"]) == (kept, kept)
    assert second["computed_tokens"] == (0 if kept else first["computed_tokens"])
    assert ("tokens_per_second" in second) is not kept


def test_class_weights_reach_the_loss(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    make_module = finetune.make_module
    monkeypatch.setattr(
        finetune, "make_module", lambda *args, **kwargs: seen.append(kwargs) or make_module(*args, **kwargs)
    )
    main(params(class_weights={"bad": 1.0, "fair": 2.0, "good": 3.0}, fast_dev_run=True), paths, 7)
    assert [kwargs["class_weights"] for kwargs in seen] == [[1.0, 2.0, 3.0]]
    assert json.loads(paths.finetune_stats(7).read_text())["class_weights"] == [1.0, 2.0, 3.0]


def test_a_frozen_encoder_computes_each_row_once_for_all_heads(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    """Nor is a row computed again in another split."""
    caplog.set_level(logging.INFO)

    def computed(seed: int, **changes: Any) -> int:
        caplog.clear()
        main(params(**({"method": "frozen"} | changes)), paths, seed)
        [found] = re.findall(r"frozen: the encoder computed (\d+) of \d+ tokens", caplog.text)
        return int(found)

    assert computed(7, learning_rate=1e-2)
    fresh = sha256(paths.finetuned(7) / "model.safetensors")
    assert computed(8) == 0
    assert computed(8, head={"hidden": 12}) == 0
    assert computed(7, learning_rate=1e-2) == 0
    assert sha256(paths.finetuned(7) / "model.safetensors") == fresh
    tokens = open_tokens(paths.tokens)
    order = np.random.default_rng(5).permutation(len(tokens))
    write_split(paths, "val", order[:20])
    write_split(paths, "train", order[20:])
    assert computed(7) == 0
    write_encoder(paths.encoder, dropout=0.2)  # its config has changed, so it is another encoder
    assert computed(7)


def test_kept_features_train_the_head_that_the_encoder_in_every_epoch_trains(paths: Paths) -> None:
    write_tokens(paths, longest=4)  # rows of one length come in the same batches either way
    once = load_file(_trained(paths, method="frozen", learning_rate=1e-2))
    every = load_file(_trained(paths, method="gradual", frozen_epochs=11, learning_rate=1e-2))
    assert once.keys() == every.keys()
    for name, values in once.items():
        assert torch.allclose(values, every[name], atol=1e-5), name


def test_the_head_starts_from_the_seed(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[torch.Tensor] = []

    def stop(module: Any, *args: Any, **kwargs: Any) -> None:
        heads.append(module.model.classifier.weight.detach().clone())
        raise KeyboardInterrupt

    monkeypatch.setattr("stages.finetune.train.fit", stop)
    for seed in (7, 7, 8):
        with pytest.raises(KeyboardInterrupt):
            main(params(), paths, seed)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


@pytest.mark.parametrize("name", [name for name in MACHINE if name != "loggers"])  # a test of their own has these
def test_machine_settings_change_no_byte(paths: Paths, name: str) -> None:
    assert set(MACHINE) == set(Machine.model_fields)
    files = [paths.finetuned(7) / "model.safetensors", paths.finetune_stats(7), paths.curve(7)]
    main(params(), paths, 7)
    before = [sha256(path) for path in files]
    train_elsewhere = _in_its_own_process if name == "num_workers" else main
    train_elsewhere(params(machine={name: MACHINE[name]}), paths, 7)
    assert [sha256(path) for path in files] == before


def _in_its_own_process(changed: Params, paths: Paths, seed: int) -> None:
    """Train as `main` does; workers forked from a process of pytest-xdist end with code 1 on a busy machine."""
    program = (
        "import pathlib, sys\n"
        "from stages.finetune.__main__ import main\n"
        "from stages.params import Params\n"
        "from stages.paths import Paths\n"
        "values, root, seed = sys.argv[1:]\n"
        "main(Params.model_validate_json(values), Paths(pathlib.Path(root)), int(seed))\n"
    )
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}  # other sums differ in the last bit
    command = [sys.executable, "-c", program, changed.model_dump_json(), str(paths.root), str(seed)]
    subprocess.run(command, cwd=Path(__file__).parents[3], env=environment, check=True)


def test_machine_settings_reach_the_training(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def spy(module: Any, data: Any, options: Any, device: Any, machine: Any, **kwargs: Any) -> Any:
        asked.extend([data.num_workers, machine.checkpoint_minutes])
        raise KeyboardInterrupt

    monkeypatch.setattr(finetune, "fit", spy)
    with pytest.raises(KeyboardInterrupt):
        main(params(machine={"num_workers": 1, "checkpoint_minutes": 3.0}), paths, 7)
    assert asked == [1, 3.0]


def test_loggers_have_the_curve(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    files = [_trained(paths), paths.finetune_stats(7), paths.curve(7)]
    before = [sha256(path) for path in files]
    _trained(paths, machine={"loggers": MACHINE["loggers"]})
    assert [sha256(path) for path in files] == before
    with paths.curve(7).open() as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    folder = paths.root / ".retune/logs/finetune-7"
    events = accumulator.EventAccumulator(str(next(folder.rglob("events.out.*")).parent)).Reload()
    assert [event.value for event in events.Scalars("val.loss")] == pytest.approx(losses, rel=1e-5)
    assert {"train_loss", "learning_rate", "val.mcc"} <= set(events.Tags()["scalars"])
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("retune").experiment_id])
    values = [metric.value for metric in client.get_metric_history(run.info.run_id, "val.loss")]
    assert values == pytest.approx(losses, rel=1e-5)
    assert run.info.status == "FINISHED"
    assert run.data.params["learning_rate"] == str(params().finetune.learning_rate)


def _trained(paths: Paths, **options: Any) -> Path:
    main(params(**options), paths, 7)
    return paths.finetuned(7) / "model.safetensors"
