"""The schema of params.yaml: complete, frozen, and strict. No default stands here, because DVC can't see one.

Every key is explained in recipes/default.yaml, where a person edits it. A key typed `X | None = None` may be left
out: absent and null are the same, so that nothing is hidden.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.errors import ParamsError

Fraction = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[int, Field(ge=1)]
SplitName = Literal["train", "val", "test"]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Section(BaseModel):
    """A mapping of params.yaml: no unknown keys, no silent conversions, no changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SourceFile(Section):
    """One file of the data set."""

    source: str
    member: str | None = None
    sha256: Sha256 | None = None
    split: SplitName | None = None
    label: str | int | None = None


class Columns(Section):
    """Names of the columns, or their numbers (from 0) where there is no header."""

    text: str | int
    label: str | int | None
    text_pair: str | int | None
    id: str | int | None
    group: str | int | None
    slices: list[str | int]


class Checks(Section):
    """What happens to rows with something wrong: the stage fails, warns, or sets them aside in a file."""

    malformed_row: Literal["fail", "set_aside"]
    broken_encoding: Literal["fail", "warn", "set_aside"]
    control_characters: Literal["fail", "warn", "set_aside"]
    empty_text: Literal["fail", "warn", "set_aside"]
    missing_label: Literal["fail", "set_aside"]
    unknown_label: Literal["fail", "set_aside"]
    duplicate_id: Literal["fail", "set_aside"]
    duplicate_text: Literal["fail", "warn", "set_aside"]
    conflicting_labels: Literal["fail", "warn", "set_aside"]
    near_duplicate: Literal["fail", "warn", "set_aside", "ignore"]
    near_duplicate_similarity: Annotated[float, Field(gt=0.5, le=1)]
    rare_label: Literal["fail", "warn", "set_aside"]
    min_rows_per_label: Positive


class Dataset(Section):
    files: Annotated[list[SourceFile], Field(min_length=1)]
    folder: str
    unpack_limit_mb: Positive
    format: Literal["csv", "tsv", "jsonl", "lines", "folders", "parquet", "arrow", "hf"]
    encoding: str
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None
    header: bool
    quoting: bool
    columns: Columns
    labels: dict[str | int, str]
    checks: Checks


class Encoder(Section):
    source: str
    sha256: Sha256 | None


class Download(Section):
    dataset: Dataset
    model: Encoder


class Tokenize(Section):
    max_length: Annotated[int, Field(ge=2)]
    truncation: Literal["head", "tail", "head_tail"]


class Split(Section):
    method: Literal["stratified", "hash", "source"]
    val: Fraction
    test: Fraction
    seed: Annotated[int, Field(ge=0)]
    duplicates: Literal["together", "drop", "keep"]
    train_fraction: Annotated[float, Field(gt=0, le=1)]
    max_leak: Annotated[float, Field(ge=0, le=1)]


class Head(Section):
    """The classification head."""

    hidden: Positive | None
    dropout: Fraction


class Lora(Section):
    """Small trained matrices beside fixed ones."""

    rank: Positive
    alpha: Annotated[float, Field(gt=0)]
    dropout: Fraction
    target_modules: Literal["auto"] | Annotated[list[str], Field(min_length=1)]


class Finetune(Section):
    method: Literal["full", "frozen", "partial", "gradual", "lora"]
    head: Head
    frozen_layers: Annotated[int, Field(ge=0)]
    frozen_epochs: Positive
    lora: Lora
    max_epochs: Positive
    batch_size: Positive
    max_tokens_per_batch: Positive | None
    accumulate_grad_batches: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    schedule: Literal["linear", "cosine", "constant"]
    warmup_ratio: Fraction
    layer_decay: Annotated[float, Field(gt=0, le=1)]
    gradient_clip: Annotated[float, Field(ge=0)]
    label_smoothing: Fraction
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None
    class_weights: Literal["none", "balanced"] | dict[str | int, Annotated[float, Field(gt=0)]]
    monitor: Literal["val/loss", "val/accuracy", "val/macro_f1", "val/mcc"]
    patience: Positive | None
    accelerator: Literal["auto", "cpu", "gpu"]
    devices: Positive
    strategy: str
    precision: Literal["auto", "32", "bf16"]
    compile: bool
    num_workers: Annotated[int, Field(ge=0)]
    compact_vocabulary: bool
    packing: bool
    loggers: list[Literal["tensorboard", "mlflow"]]
    limit_train_batches: Positive | Annotated[float, Field(gt=0, le=1)]
    limit_val_batches: Positive | Annotated[float, Field(gt=0, le=1)]
    fast_dev_run: bool
    checkpoint_minutes: Annotated[float, Field(gt=0)]


class Evaluate(Section):
    metric: Literal["accuracy", "macro_f1", "mcc"]
    ordered: Literal["auto", "yes", "no"]
    batch_size: Positive
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    resamples: Annotated[int, Field(ge=100)]
    seed: Annotated[int, Field(ge=0)]


class Gate(Section):
    """What `retune compare` holds a change to."""

    fail_on: Literal["none", "worse"]
    require: list[Annotated[str, Field(pattern=r"^\s*(test|val)\.\w+(\.(low|high))?\s*(>=|<=|>|<)\s*-?[0-9.]+\s*$")]]
    max_drop: dict[Annotated[str, Field(pattern=r"^(test|val)\.\w+$")], Annotated[float, Field(ge=0)]]


class Report(Section):
    title: str
    show_text: bool
    mistakes: Annotated[int, Field(ge=0)]
    suspects: Annotated[int, Field(ge=0)]
    baseline_rows: Annotated[int, Field(ge=0)]
    gate: Gate


class Params(Section):
    """The whole of params.yaml."""

    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    download: Download
    tokenize: Tokenize
    split: Split
    finetune: Finetune
    evaluate: Evaluate
    report: Report


def read_params(path: Path) -> Params:
    """Read and check params.yaml.

    Raises:
        ParamsError: The file is missing, is no YAML, or has problems; all of them are named at once.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ParamsError(f"{path} is missing. Write it with: retune use default") from error
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    return parse_params(parse_yaml(text, name=str(path)), name=str(path))


def parse_yaml(text: str, *, name: str) -> Any:
    """Parse YAML 1.2 as DVC does (`2e-5` is a number; a key given twice is an error).

    Raises:
        ParamsError: The text is no YAML; the message names the line.
    """
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        problem = " ".join(str(error).split("To suppress this check")[0].split())
        raise ParamsError(f"{name} is not valid YAML: {problem}") from error


def parse_params(values: Any, *, name: str) -> Params:
    """Check what was read from params.yaml.

    Raises:
        ParamsError: Everything that is wrong, each with its key, its value and what would be right.
    """
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        problems = list(dict.fromkeys(_problem(detail, values) for detail in error.errors()))
        raise ParamsError(f"{name}: " + "; ".join(problems)) from error
    if len(set(params.seeds)) != len(params.seeds):
        raise ParamsError(f"{name}: seeds {params.seeds} names a seed twice. Give each once.")
    if params.split.val + params.split.test >= 1:
        raise ParamsError(
            f"{name}: split.val {params.split.val} and split.test {params.split.test} leave nothing to train on."
        )
    return params


def _problem(detail: Any, values: Any) -> str:
    """One problem in one clause; pydantic's own location also names the branch of a union, which no user wrote."""
    path = _location(detail["loc"], values)
    if detail["type"] == "extra_forbidden":
        key = str(detail["loc"][-1])
        known = _known_keys(detail["loc"][:-1])
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        return f"unknown key {path} ({hint})"
    if detail["type"] == "missing":
        return f"{path} is missing"
    return f"{path}: {detail['msg'][0].lower()}{detail['msg'][1:]}, not {detail['input']!r}"


def _location(loc: tuple[str | int, ...], values: Any) -> str:
    """The key as in params.yaml: `download.dataset.files[0].source`."""
    path, here = "", values
    for position, step in enumerate(loc):
        if isinstance(here, list) and isinstance(step, int):
            path += f"[{step}]"
            here = here[step] if step < len(here) else None
        elif isinstance(here, Mapping) and (step in here or position == len(loc) - 1):
            path += f".{step}" if path else str(step)
            here = here.get(step)
        else:
            break  # the name of a union's branch
    return path or "the file"


def _known_keys(loc: tuple[str | int, ...]) -> list[str]:
    """The keys that the model at `loc` has."""
    model: Any = Params
    for step in loc:
        if isinstance(step, int):
            continue
        model = model.model_fields[step].annotation
        model = getattr(model, "__args__", [model])[0] if not isinstance(model, type) else model
        model = getattr(model, "__args__", [model])[0]
    return list(model.model_fields)
