"""The schema of params.yaml: complete, frozen and strict. It has no defaults, because DVC would not see them.

What is equal to DVC must mean the same: 1 and 1.0 in one place, and mappings in any order.

Every key is explained in recipes/default.yaml, where people edit it. A key typed `X | None = None` may be left out,
which means the same as null.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from stages.metrics.resamples import MOST, expected_instead
from stages.schema_types import (
    LANGUAGE,
    LICENSE,
    RULE,
    CorrectionsPath,
    Folds,
    Fraction,
    InferencePrecision,
    LocalPath,
    Positive,
    Precision,
    Seed,
    Sha256,
    Share,
)


class Section(BaseModel):
    """A mapping of params.yaml: unknown keys are errors, types are not converted, values can't be changed, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class SourceFile(Section):
    """One file of the data set."""

    source: str
    member: str | None = None
    sha256: Sha256 | None = None
    split: Literal["train", "val", "test"] | None = None
    label: str | int | None = None


class Columns(Section):
    """Names of the columns, or their numbers (from 0) in a file without a header."""

    text: str | int
    label: str | int | Annotated[list[str | int], Field(min_length=2)] | None
    text_pair: str | int | None
    id: str | int | None
    group: str | int | None
    slices: list[str | int]


class Checks(Section):
    """What the stage does about each kind of bad row: fail, warn, or set the row aside in a file."""

    malformed_row: Literal["fail", "set_aside"]
    broken_encoding: Literal["fail", "warn", "set_aside"]
    control_characters: Literal["fail", "warn", "set_aside"]
    empty_text: Literal["fail", "warn", "set_aside"]
    missing_label: Literal["fail", "set_aside"]
    unknown_label: Literal["fail", "set_aside"]
    label_spelling: Literal["fail", "warn", "merge"]
    duplicate_id: Literal["fail", "set_aside"]
    duplicate_text: Literal["fail", "warn", "set_aside"]
    conflicting_labels: Literal["fail", "warn", "set_aside"]
    near_duplicate: Literal["fail", "warn", "set_aside", "ignore"]
    near_duplicate_similarity: Annotated[float, Field(gt=0.5, le=1)]
    unseen_label: Literal["fail", "warn", "set_aside"]
    rare_label: Literal["fail", "warn", "set_aside"]
    min_rows_per_label: Positive


class Dataset(Section):
    files: Annotated[list[SourceFile], Field(min_length=1)]
    folder: LocalPath
    corrections: CorrectionsPath
    format: Literal["csv", "tsv", "jsonl", "json", "excel", "lines", "folders", "parquet", "arrow", "hf"]
    encoding: str
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None
    header: bool
    quoting: bool
    sheet: str | int | None = None
    columns: Columns
    target: Literal["auto", "classes", "label_set", "ordered", "number"]
    label_separator: Annotated[str, Field(min_length=1)] | None = None
    labels: dict[str | int, str]
    label_order: list[str]
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
    seed: Seed
    duplicates: Literal["together", "drop", "keep"]
    train_fraction: Share
    max_leak: Annotated[float, Field(ge=0, le=1)]


class Head(Section):
    """The classification head."""

    pooling: Literal["auto", "cls", "mean", "last"]
    hidden: Positive | None
    dropout: Fraction


class Lora(Section):
    """Low-rank adaptation: small trained matrices beside frozen weights."""

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
    soup: Annotated[int, Field(ge=1, le=100)]
    max_epochs: Positive
    batch_size: Positive
    max_tokens_per_batch: Positive | None
    accumulate_grad_batches: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    schedule: Literal["linear", "cosine", "constant"]
    warmup_ratio: Fraction
    layer_decay: Share
    gradient_clip: Annotated[float, Field(ge=0)]
    label_smoothing: Fraction
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None
    loss: Literal["auto", "mse", "huber"]
    class_weights: Literal["none", "balanced"] | dict[str | int, Annotated[float, Field(gt=0)]]
    monitor: Literal[
        "val.loss", "val.accuracy", "val.macro_f1", "val.mcc", "val.quadratic_kappa", "val.micro_f1",
        "val.r2", "val.pearson",
    ]  # fmt: skip
    patience: Positive | None
    accelerator: Literal["auto", "cpu", "gpu"]
    devices: Positive
    strategy: Literal["auto", "ddp"]
    precision: Precision
    compile: bool
    compact_vocabulary: bool
    packing: bool
    limit_train_batches: Positive | None
    limit_train_share: Share
    limit_val_batches: Positive | None
    limit_val_share: Share
    fast_dev_run: bool


class Evaluate(Section):
    metric: Literal[
        "auto", "accuracy", "macro_f1", "mcc", "quadratic_kappa", "micro_f1", "sample_f1", "subset_accuracy",
        "r2", "mean_absolute_error",
    ]  # fmt: skip
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    resamples: Annotated[int, Field(ge=100, le=MOST)]
    seed: Seed
    precision: InferencePrecision

    @field_validator("resamples")
    @classmethod
    def _enough_for_an_interval(cls, resamples: int, info: ValidationInfo) -> int:
        confidence = info.data.get("confidence")  # None: it is wrong itself
        if confidence and (expected := expected_instead(resamples, confidence)):
            raise PydanticCustomError("resamples", "{expected}", {"expected": expected})
        return resamples


class Crossfit(Section):
    folds: Folds
    method: Literal["frozen", "finetune"]
    seed: Seed


class Extrapolate(Section):
    seeds: Annotated[list[Seed], Field(max_length=1)]
    draws: Annotated[int, Field(ge=5, le=200)]


class Gate(Section):
    """Rules that `retune compare` checks a change against."""

    fail_on: Literal["none", "worse"]
    require: list[Annotated[str, Field(pattern=RULE)]]
    max_drop: dict[Annotated[str, Field(pattern=r"^(test|val)\.\w+$")], Annotated[float, Field(ge=0)]]


class Report(Section):
    title: str
    license: Annotated[str, Field(pattern=f"^({LICENSE})$")] | None
    language: list[Annotated[str, Field(pattern=f"^({LANGUAGE})$")]] | None
    show_text: bool
    mistakes: Annotated[int, Field(ge=0)]
    suspects: Annotated[int, Field(ge=0)]
    baseline_rows: Annotated[int, Field(ge=0)]
    mcc_per_batch: Positive | None = None
    gate: Gate


class Machine(Section):
    """What suits a machine and changes no byte of any output: in no stage's params, and in no key."""

    num_workers: Annotated[int, Field(ge=0)]
    checkpoint_minutes: Annotated[float, Field(gt=0)]
    loggers: list[Literal["tensorboard", "mlflow"]]
    gradient_checkpointing: bool
    unpack_limit_mb: Positive
    kept_rows_mb: Annotated[int, Field(ge=0, le=2**31 - 1)]


class Params(Section):
    """The whole of params.yaml."""

    seeds: Annotated[list[Seed], Field(min_length=1)]
    download: Download
    tokenize: Tokenize
    split: Split
    finetune: Finetune
    evaluate: Evaluate
    crossfit: Crossfit
    extrapolate: Extrapolate
    report: Report
    machine: Machine
