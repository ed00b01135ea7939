"""What produced the results: data, parameters, encoder, library versions. No clock times: equal runs differ in them."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stages.files import read_json
from stages.params import Params
from stages.paths import Paths
from stages.report.training import describe_evaluation, describe_training

HUB = re.compile(r"hf://(?P<name>[\w.-]+/[\w.-]+)(@.*)?", re.ASCII)
PUBLISHED = {  # SHA-256 of model.safetensors -> the model on the Hub, for weights that come from elsewhere
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db": "sentence-transformers/all-MiniLM-L6-v2",
}
LIBRARIES = ("torch", "lightning", "transformers", "tokenizers", "numpy", "scikit-learn", "pandas", "pyarrow", "dvc")


@dataclass(frozen=True)
class Provenance:
    """How the champion was made; mappings are in the order of their files."""

    encoder: str
    data_hash: str  # MD5 of rows.parquet, which dvc.lock has too
    params_hash: str  # SHA-256 of every value that can change a result: equal for equal values, in any order
    base_model: str | None  # the encoder's name on the Hub; None: it is not known to be there
    license: str | None  # of the model: report.license, else the encoder's; None: unknown
    language: list[str]  # of the texts: report.language, else the encoder's; empty: unknown
    params: dict[str, str]  # by dotted key
    training: list[tuple[str, str]]  # of the champion, and of its predictions, as name and value
    weights_mb: float
    versions: dict[str, str]  # by library; empty without constraints.txt


def read_provenance(paths: Paths, params: Params, seed: int) -> Provenance:
    """Read how the model of `seed` was made."""
    weights = paths.finetuned(seed) / "model.safetensors"
    encoder = read_json(paths.encoder / "source.json")
    with paths.rows.open("rb") as rows:
        data_hash = hashlib.file_digest(rows, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return Provenance(
        encoder=encoder["source"],
        data_hash=data_hash,
        params_hash=hash_params(params),
        base_model=_name_on_the_hub(encoder),
        license=params.report.license or encoder.get("license"),
        language=encoder.get("language", []) if params.report.language is None else params.report.language,
        params=flatten(params.model_dump(exclude={"machine"})),
        training=[
            *describe_training(read_json(paths.finetune_stats(seed)), params.finetune),
            *describe_evaluation(read_json(paths.metrics(seed)), params.evaluate),
        ],
        weights_mb=round(weights.stat().st_size / 1e6, 1) if weights.is_file() else 0.0,
        versions=_read_versions(paths.root / "constraints.txt"),
    )


def hash_params(params: Params) -> str:
    """Return the SHA-256 of the parameters that can change a result; how the report looks is not among them."""
    values = params.model_dump(mode="json", exclude={"machine", "report"})
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _name_on_the_hub(encoder: Mapping[str, str]) -> str | None:
    named = HUB.fullmatch(encoder["source"])
    return named["name"] if named else PUBLISHED.get(encoder["sha256"])


def flatten(values: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Return nested values as text by dotted key, in order; empty mappings and lists are kept."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, name)
        elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            for number, item in enumerate(value):
                flat |= flatten(item, f"{name}[{number}]")
        else:
            flat[name] = format_value(value)
    return flat


def format_value(value: object) -> str:
    """Return a value as params.yaml writes it, with commas between the thousands of large numbers."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return str(value) if value != "" else '""'


def _read_versions(path: Path) -> dict[str, str]:
    """Read the pinned versions of the libraries that affect the numbers; empty if the file is missing."""
    if not path.is_file():
        return {}
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    pins = dict(line.split("==", 1) for line in lines if "==" in line)
    return {name: pins[name].split(";")[0].strip() for name in LIBRARIES if name in pins}
