"""A data set's folder to write files into, and one call that runs the stage's work on them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.download.dataset import write_dataset
from stages.schema import Dataset

POLICIES = {
    "malformed_row": "fail",
    "broken_encoding": "fail",
    "control_characters": "warn",
    "empty_text": "fail",
    "missing_label": "fail",
    "unknown_label": "fail",
    "duplicate_id": "fail",
    "duplicate_text": "warn",
    "conflicting_labels": "warn",
    "near_duplicate": "warn",
    "rare_label": "fail",
    "label_spelling": "warn",
    "unseen_label": "fail",
}


@dataclass(frozen=True)
class Result:
    """What the stage wrote."""

    folder: Path

    @property
    def table(self) -> pa.Table:
        return pq.read_table(self.folder / "rows.parquet")

    def column(self, name: str) -> list[Any]:
        return self.table.column(name).to_pylist()

    @property
    def labels(self) -> list[str]:
        return json.loads(self.table.schema.metadata[b"labels"])

    @property
    def stats(self) -> dict[str, Any]:
        return json.loads((self.folder / "stats.json").read_text())

    @property
    def source(self) -> list[dict[str, Any]]:
        return json.loads((self.folder / "source.json").read_text())["files"]

    @property
    def set_aside(self) -> str:
        return (self.folder / "set_aside.csv").read_text()


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Result]:
    """Write `content` (bytes, or {name: bytes}) under data/ and read it as a data set."""

    def run(
        content: bytes | dict[str, bytes] = b"",
        *,
        files: list[dict[str, Any]] | None = None,
        file_format: str = "csv",
        encoding: str = "utf-8",
        header: bool = True,
        quoting: bool = True,
        columns: dict[str, Any] | None = None,
        labels: dict[str, str] | None = None,
        label_order: Sequence[str] = (),
        policies: dict[str, str] | None = None,
        min_rows_per_label: int = 1,
        similarity: float = 0.8,
        delimiter: str | None = None,
        unpack_limit: int = 1_000_000,
        watched: str = "data",
        target: str = "auto",
        label_separator: str | None = None,
        corrections: str = "",
    ) -> Result:
        contents = content if isinstance(content, dict) else {f"rows.{file_format}": content}
        for name, value in contents.items():
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(value)
        entries = files or [{"source": f"data/{name}"} for name in contents]
        if corrections:
            (tmp_path / "corrections.csv").write_text(corrections, encoding="utf-8")
        folder = tmp_path / "out"
        folder.mkdir(exist_ok=True)
        fields = {"text": "text", "label": "label"} if columns is None else columns
        dataset = Dataset.model_validate(
            {
                "files": entries,
                "folder": "data",
                "corrections": "corrections.csv",
                "format": file_format,
                "encoding": encoding,
                "delimiter": delimiter,
                "header": header,
                "quoting": quoting,
                "columns": {**dict.fromkeys(("label", "text_pair", "id", "group")), "slices": [], **fields},
                "labels": labels or {},
                "target": target,
                "label_separator": label_separator,
                "label_order": list(label_order),
                "checks": {
                    **POLICIES,
                    **(policies or {}),
                    "min_rows_per_label": min_rows_per_label,
                    "near_duplicate_similarity": similarity,
                },
            }
        )
        dataset = dataset.model_copy(update={"folder": watched})  # also what the schema refuses
        write_dataset(folder, dataset, root=tmp_path, unpack_limit=unpack_limit)
        return Result(folder)

    return run
