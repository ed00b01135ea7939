"""Types of single values in params.yaml, with what each allows."""

import posixpath
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError


def _check_local(path: str) -> str:
    """Return the path of a file or folder that DVC can watch: no URL, not the project itself or a folder above it."""
    if "://" in path or not path.isprintable() or set(posixpath.normpath(path).split("/")) <= {"", ".", ".."}:
        raise PydanticCustomError("local_path", "the path of a local folder or file")
    return path


def _check_corrections(path: str) -> str:
    """Return the path of a CSV file that DVC can watch."""
    if not path.endswith(".csv") or path != _check_local(path):
        raise PydanticCustomError("corrections_path", "the path of a CSV file")
    return path


def _check_folds(folds: object) -> object:
    """Return the numbers of the folds: none, or 1 to two or more."""
    if isinstance(folds, list) and len(folds) != 1:
        in_order = list(range(1, len(folds) + 1))
        if folds == in_order and all(type(fold) is int for fold in folds):
            return folds
    count = folds if type(folds) is int and 2 <= folds <= 20 else max(len(folds), 2) if isinstance(folds, list) else 5
    example = str(list(range(1, min(count, 20) + 1)))
    raise PydanticCustomError("folds", "[] for none, or the numbers 1 to two or more: {example}", {"example": example})


LICENSE = r"[a-z0-9][a-z0-9.+-]{0,39}"  # identifiers of the Hub: apache-2.0, cc-by-4.0, other
LANGUAGE = r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*|code|multilingual"  # ISO 639 codes, as the Hub writes them: en, pt-BR

RULE = (  # of the gate: test.macro_f1.low >= 0.8
    r"^\s*(?P<name>(test|val)\.\w+?)(\.(?P<end>low|high))?\s*(?P<sign>>=|<=|>|<)"
    r"\s*(?P<limit>-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?)\s*$"
)

Fraction = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[int, Field(ge=1, le=2**31 - 1)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]  # what NumPy and PyTorch both take
Precision = Annotated[
    Literal["auto", "32", "bf16", "fp16"], BeforeValidator(lambda value: "32" if value == 32 else value)
]
InferencePrecision = Annotated[Literal["auto", "32"], BeforeValidator(lambda value: "32" if value == 32 else value)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
LocalPath = Annotated[str, AfterValidator(_check_local)]
CorrectionsPath = Annotated[str, AfterValidator(_check_corrections)]
Folds = Annotated[list[int], BeforeValidator(_check_folds)]
