"""The values that params.yaml may choose from, and what each does in the code that reads it."""

import contextlib
import io
import json
import os
import typing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from datasets import Dataset as HubRows
from numpy.typing import NDArray

from pipeline.comparison.gate import Gate, check_rules
from stages.crossfit.__main__ import main as crossfit
from stages.download import inputs as download_inputs
from stages.download.dataset import write_dataset
from stages.download.sources.hub import HubDataset
from stages.errors import DataError, ParamsError, TrainingError
from stages.files import sha256
from stages.finetune.__main__ import main as finetune
from stages.finetune.class_weights import label_weights
from stages.finetune.devices import detect_device
from stages.finetune.encoder import load_encoder
from stages.finetune.lora import add_lora
from stages.finetune.pooling import choose_pooling
from stages.finetune.training.loggers import make_loggers
from stages.finetune.training.optimizer import make_schedule
from stages.finetune.training.trainer import make_trainer
from stages.folds import read_answers
from stages.inference.loading import placed
from stages.metrics.classification import cell_features, score_sums
from stages.metrics.label_sets import score_sets, set_features
from stages.metrics.names import headline_metrics
from stages.metrics.regression import number_scores
from stages.model.pooling import pool
from stages.params import read_params
from stages.paths import Paths
from stages.schema import Params, Section, SourceFile
from stages.split.division import divide
from stages.split_inputs import SplitInputs
from stages.targets.options import check_options
from stages.targets.target import KINDS, MONITORS, Target
from stages.targets.training import TRAINING
from stages.tokens import open_tokens
from stages.truncation import cut
from tests.stages.crossfit import folded
from tests.stages.download.checks.cases import CASES, UNUSABLE
from tests.stages.finetune.tiny import LABELS, tiny_models, write_encoder, write_tokens

PARAMS = read_params(Path(__file__).parents[1] / "recipes/default.yaml")
FILE = SourceFile(source="data/rows")
ROWS = [("good, really", "yes"), ("bad thing", "no")]

Effect = Callable[[str, Path], Any]  # value, empty folder -> what it does; equal where two values do the same


def choices() -> dict[str, list[str]]:
    """The values of every `Literal` in the schema, by key."""
    found: dict[str, list[str]] = {}
    for key, values in _choices(Params, ""):
        found.setdefault(key, []).extend(values)
    return found


def changed(section: Any, **values: Any) -> Any:
    """A section with other values, also ones that the schema does not allow (yet)."""
    return section.model_copy(update=values)


def _choices(model: type[Section], prefix: str) -> Iterator[tuple[str, list[str]]]:
    for name, field in model.model_fields.items():
        yield from _choices_of(field.annotation, f"{prefix}{name}")


def _choices_of(kind: Any, key: str) -> Iterator[tuple[str, list[str]]]:
    if typing.get_origin(kind) is Literal:
        yield key, list(typing.get_args(kind))
    elif isinstance(kind, type) and issubclass(kind, Section):
        yield from _choices(kind, f"{key}.")
    else:
        for inner in typing.get_args(kind):
            yield from _choices_of(inner, key)


# --- download ---


def check(rule: str) -> Effect:
    """Rows that break the rule, read with each policy; no row may vanish without a word."""

    def effect(policy: str, folder: Path) -> Any:
        content, settings, broken, _ = CASES[rule]
        others = {name: "set_aside" if name in UNUSABLE else "warn" for name in CASES} | {rule: policy}
        least = settings.get("min_rows_per_label", 1)
        checks = changed(PARAMS.download.dataset.checks, **others, min_rows_per_label=least)
        try:
            stats = read(folder, "csv", content, checks=checks, **settings)
        except DataError:
            return "fails"
        aside, warned = stats["set_aside"].get(rule, 0), stats["warnings"].get(rule, 0)
        assert stats["rows_in"] == stats["rows_used"] + sum(stats["set_aside"].values()), "rows vanished"
        assert aside in (0, len(broken))
        assert aside or warned or policy == "ignore", "the rule did nothing"
        return aside, warned

    return effect


def read(
    folder: Path, file_format: str, content: bytes = b"", *, files: Sequence[SourceFile] = (FILE,), **settings: Any
) -> Any:
    """Read a data set of one file with this content, or of other files, and return its stats.json."""
    columns = {"text": "text", "label": "label", "id": None, "group": None, "text_pair": None, "slices": []}
    options = {key: value for key, value in settings.items() if key in ("labels", "checks", "target")}
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data/rows").write_bytes(content)
    dataset = changed(
        PARAMS.download.dataset,
        **{"labels": {}, "folder": "data", "files": list(files), "format": file_format, **options},
        columns=changed(PARAMS.download.dataset.columns, **columns | settings.get("columns", {})),
    )
    (folder / "out").mkdir()
    write_dataset(folder / "out", dataset, root=folder, unpack_limit=10**6)
    return json.loads((folder / "out/stats.json").read_text())


def label_spelling(policy: str, folder: Path) -> Any:
    """What becomes of three spellings of one class."""
    content = b"text,label\na,spam\nb,Spam\nc,ham\nd,spam\n"
    checks = changed(PARAMS.download.dataset.checks, label_spelling=policy, min_rows_per_label=1)
    try:
        stats = read(folder, "csv", content, checks=checks)
    except DataError:
        return "fails"
    return stats["labels"], stats["spellings"]


def unseen_label(policy: str, folder: Path) -> Any:
    """What becomes of a row of test whose label no row for train has."""
    (folder / "data").mkdir()
    (folder / "data/test").write_bytes(b"text,label\nc,x\nd,z\n")
    checks = changed(PARAMS.download.dataset.checks, unseen_label=policy, min_rows_per_label=1)
    files = [FILE, SourceFile(source="data/test", split="test")]
    try:
        stats = read(folder, "csv", b"text,label\na,x\nb,y\n", files=files, checks=checks)
    except DataError:
        return "fails"
    assert stats["set_aside"] or stats["warnings"], "the rule did nothing"
    return stats["labels"], stats["set_aside"], stats["warnings"]


def target(kind: str, folder: Path) -> Any:
    """What rows with numbers and with words as labels are, or that the kind can't be learned."""
    found = []
    for labels in (["0.5", "1.5", "2.5"], ["a", "b", "c"]):
        content = b"text,label\n" + b"".join(b"t%d,%s\n" % (row, labels[row % 3].encode()) for row in range(30))
        try:
            (folder / labels[0]).mkdir()
            found.append(read(folder / labels[0], "csv", content, target=kind)["labels"])
        except (DataError, ParamsError) as error:
            if kind not in KINDS:
                raise
            found.append(str(error))
    return found


def file_format(name: str, folder: Path) -> Any:
    """The same two rows, written in each format."""
    table = pa.table({"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]})
    arrow, parquet, excel = io.BytesIO(), io.BytesIO(), io.BytesIO()
    workbook = openpyxl.Workbook()
    for row in [("text", "label"), *ROWS]:
        workbook.active.append(row)
    workbook.save(excel)
    pq.write_table(table, parquet)
    with pa.ipc.new_stream(arrow, table.schema) as writer:
        writer.write_table(table)
    contents = {
        "csv": b'text,label\n"good, really",yes\nbad thing,no\n',
        "tsv": b"text\tlabel\ngood, really\tyes\nbad thing\tno\n",
        "jsonl": b"".join(json.dumps({"text": text, "label": label}).encode() + b"\n" for text, label in ROWS),
        "json": json.dumps([{"text": text, "label": label} for text, label in ROWS]).encode(),
        "excel": excel.getvalue(),
        "parquet": parquet.getvalue(),
        "arrow": arrow.getvalue(),
    }
    files = {
        "lines": [SourceFile(source=f"data/set/{label}/a.txt", label=label) for _, label in ROWS],
        "folders": [SourceFile(source="data/set")],
        "hf": [SourceFile(source="hf://datasets/org/name")],
    }
    for text, label in ROWS:
        (folder / "data/set" / label).mkdir(parents=True)
        (folder / "data/set" / label / "a.txt").write_text(text)
    checks = changed(PARAMS.download.dataset.checks, min_rows_per_label=1)
    with pytest.MonkeyPatch.context() as patch:
        hub = HubDataset({"train": HubRows(table)}, "0" * 40)
        patch.setattr(download_inputs, "load_hub_dataset", lambda _: hub)
        if name in files:
            stats = read(folder, name, files=files[name], checks=checks)
        else:
            stats = read(folder, name, contents[name], checks=checks)
    texts = pq.read_table(folder / "out/rows.parquet")["text"].to_pylist()
    assert sorted(texts) == sorted(text for text, _ in ROWS)
    return name, stats["rows_used"]


# --- tokenize and split ---


def truncation(name: str, folder: Path) -> Any:
    return cut(10, 4, name)


def rows_to_split(official: list[str | None] | None = None) -> SplitInputs:
    """Sixty rows of two labels, each text twice."""
    row = np.arange(60)
    alone = np.full(60, -1)
    return SplitInputs(
        label=row // 2 % 2, text_key=row // 2, cluster=alone, group=alone, content=row, split=official or [None] * 60
    )


def divided(inputs: SplitInputs, **values: Any) -> dict[str, list[int]]:
    options = changed(PARAMS.split, **{"val": 0.2, "test": 0.2, "max_leak": 1.0, **values})
    return {name: rows.tolist() for name, rows in divide(inputs, Target("classes", ["a", "b"]), options)[0].items()}


def official_split(name: str, folder: Path) -> Any:
    """Where the rows of a file of this split land, among rows of the other splits."""
    others = ["train", "val", "test"]
    official = [*[name] * 4, *(others[row // 4 % 3] for row in range(56))]
    positions = divided(rows_to_split(official))  # type: ignore[arg-type]
    (landed,) = (split for split, rows in positions.items() if set(range(4)) <= set(rows))
    return landed


def split_method(name: str, folder: Path) -> Any:
    try:
        return divided(rows_to_split(), method=name, duplicates="keep")
    except DataError:
        return "needs official splits"


def split_duplicates(name: str, folder: Path) -> Any:
    return divided(rows_to_split(), duplicates=name)


# --- finetune ---


def trained(folder: Path, **values: Any) -> tuple[str, Any]:
    """The hash of the weights and stats.json after two epochs with a tiny encoder."""
    paths = Paths(folder)
    write_tokens(paths)
    write_encoder(paths.encoder)
    options = {"accelerator": "cpu", "max_epochs": 2, "frozen_epochs": 1, "frozen_layers": 1, "learning_rate": 1e-3}
    finetune(changed(PARAMS, finetune=changed(PARAMS.finetune, **options | values)), paths, 1)
    stats = json.loads(paths.finetune_stats(1).read_text())
    return sha256(paths.finetuned(1) / "model.safetensors"), stats


def finetune_method(name: str, folder: Path) -> Any:
    return trained(folder, method=name)[0]


def crossfit_method(name: str, folder: Path) -> Any:
    paths = Paths(folder)
    folded.write_project(paths)
    values = folded.params(max_epochs=1, limit_train_batches=2)
    method = values.crossfit.model_copy(update={"method": name})
    crossfit(values.model_copy(update={"crossfit": method}), paths, 1)
    return read_answers(paths.fold_predictions(1))[1].tolist()


def monitor(name: str, folder: Path) -> Any:
    """What chose the best epoch, of classes; of another kind, which metric would."""
    if name not in MONITORS["classes"]:
        kind = next(kind for kind, monitors in MONITORS.items() if name in monitors)
        return type(TRAINING[kind].val_metrics(3)[name.removeprefix("val.")]).__name__
    chosen = trained(folder, monitor=name)[1]["monitor"]
    assert chosen["value"] is not None
    return chosen["name"]


def loss(name: str, folder: Path) -> Any:
    """The loss of a number that is 3 standard deviations off, and whether classes have it."""
    options = PARAMS.finetune.model_copy(update={"loss": name})
    of_number = TRAINING["number"].losses(torch.tensor([[3.0]]), torch.tensor([0.0]), loss=name, smoothing=0.0)
    try:
        check_options("classes", options)
    except ParamsError as error:
        return of_number.tolist(), str(error)
    return of_number.tolist(), "classes too"


def schedule(name: str, folder: Path) -> Any:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    rule, rates = make_schedule(optimizer, kind=name, steps=10, warmup_ratio=0.2), []
    for _ in range(10):
        optimizer.step()
        rule.step()
        rates.append(rule.get_last_lr()[0])
    return rates


def class_weights(name: str, folder: Path) -> Any:
    return label_weights(name, labels=["a", "b"], train_labels=np.array([0, 0, 0, 1]))


def lora_targets(name: str, folder: Path) -> Any:
    write_encoder(folder)
    model = load_encoder(folder, labels=LABELS)
    add_lora(model, changed(PARAMS.finetune.lora, target_modules=name))
    return sorted(key for key, values in model.named_parameters() if values.requires_grad)


@contextlib.contextmanager
def gpu(present: bool) -> Iterator[None]:
    """PyTorch with one GPU that computes in bf16, or with none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: present)
        patch.setattr(torch.cuda, "device_count", lambda: int(present))
        patch.setattr(torch.cuda, "is_bf16_supported", lambda **_: present)
        patch.setattr(torch.backends.mps, "is_available", lambda: False)
        yield


def device(**values: Any) -> Any:
    """The device and precision on a machine without and with a GPU."""
    chosen = []
    for present in (False, True):
        with gpu(present):
            try:
                found = detect_device(changed(PARAMS.finetune, **values))
                chosen.append((found.kind, found.precision))
            except TrainingError:
                chosen.append(("refused", ""))
    return chosen


def accelerator(name: str, folder: Path) -> Any:
    return device(accelerator=name)


def precision(name: str, folder: Path) -> Any:
    return device(precision=name)


def inference_precision(name: str, folder: Path) -> Any:
    """What a model's weights are on a CPU with units for bf16."""
    units = patch.object(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, create=True)
    with units, patch.dict(os.environ, {"ONEDNN_MAX_CPU_ISA": ""}):
        model = placed(tiny_models()["bert"].eval(), name)  # type: ignore[arg-type]
    return sorted({str(weight.dtype) for weight in model.parameters()})


def pooling(name: str, folder: Path) -> Any:
    """What a head reads of an encoder that was trained for its mean, frozen and not."""
    paths = Paths(folder)
    write_tokens(paths)
    write_encoder(paths.encoder)
    (paths.encoder / "1_Pooling").mkdir()
    (paths.encoder / "1_Pooling/config.json").write_text('{"pooling_mode_mean_tokens": true}')
    model, tokens = load_encoder(paths.encoder, labels=LABELS), open_tokens(paths.tokens)
    hidden = torch.arange(8.0).reshape(1, 4, 2)
    mask = torch.tensor([[1, 1, 1, 0]])
    chosen = [choose_pooling(model, paths.encoder, tokens, wanted=name, frozen=frozen) for frozen in (True, False)]
    return [pool(choice or "cls", hidden, mask).tolist() for choice in chosen]


def strategy(name: str, folder: Path) -> Any:
    """How Lightning shares the work of a single device."""
    options = PARAMS.finetune.model_copy(update={"strategy": name, "accelerator": "cpu"})
    return type(make_trainer(options, detect_device(options), callbacks=[]).strategy).__name__


def loggers(name: str, folder: Path) -> Any:
    return [type(logger).__name__ for logger in make_loggers([name], folder)]


# --- evaluate and report ---


SETS = (  # of labels and of predictions
    np.array([[1, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=bool),
    np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]], dtype=bool),
)


def metric(name: str, folder: Path) -> Any:
    """The metrics that lead for each kind of target and the value of the first, or refused."""
    labels, preds = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 2, 2])
    sums: NDArray[Any] = cell_features(labels, preds, num_labels=3).sum(axis=0)
    values = {
        "number": number_scores(np.ones(3), np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 3.5])),
        "classes": score_sums(sums, num_labels=3),
        "ordered": score_sums(sums, num_labels=3, ordered=True),
        "label_set": score_sets(set_features(*SETS).sum(axis=0), num_labels=3),
    }
    found: list[Any] = []
    for kind, scores in values.items():
        try:
            names = headline_metrics(Target(kind, ["1", "2", "3"]).leading(name), scores)  # type: ignore[arg-type]
            found.append((names, float(scores[names[0]])))
        except ParamsError:
            found.append("refused")
    if found == ["refused"] * len(values):
        raise ParamsError(f"no kind of target has the metric {name}")
    return found


def fail_on(name: str, folder: Path) -> Any:
    return check_rules(Gate(fail_on=name), "worse", [], {}, what="the champion")


EFFECTS: dict[str, Effect] = {
    "download.dataset.files.split": official_split,
    "download.dataset.format": file_format,
    "download.dataset.target": target,
    **{f"download.dataset.checks.{rule}": check(rule) for rule in CASES},
    "download.dataset.checks.label_spelling": label_spelling,
    "download.dataset.checks.unseen_label": unseen_label,
    "tokenize.truncation": truncation,
    "split.method": split_method,
    "split.duplicates": split_duplicates,
    "finetune.method": finetune_method,
    "finetune.lora.target_modules": lora_targets,
    "finetune.loss": loss,
    "finetune.schedule": schedule,
    "finetune.class_weights": class_weights,
    "finetune.monitor": monitor,
    "finetune.accelerator": accelerator,
    "finetune.precision": precision,
    "finetune.strategy": strategy,
    "finetune.head.pooling": pooling,
    "evaluate.metric": metric,
    "evaluate.precision": inference_precision,
    "crossfit.method": crossfit_method,
    "report.gate.fail_on": fail_on,
    "machine.loggers": loggers,
}
