"""Rows for predictions, as files and read back, and the command in a process of its own."""

import csv
import dataclasses
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipeline.prediction.input_format import InputOptions
from pipeline.prediction.request import PredictionRequest

WORDS = ["good", "bad", "crash", "love", "money", "slow"]


TEXTS = ["good app", "bad, crash", 'he said "free money"', "two\nlines", "ünïcode 🙂", "good app"]


def request_of(file: str, out: Path | None, model: Path, **options: Any) -> PredictionRequest:
    """The request of a command line with these options."""
    names = {field.name for field in dataclasses.fields(InputOptions)}
    read = InputOptions(**{name: options.pop(name) for name in names & options.keys()})
    return PredictionRequest(file, out, model, read, **options)


def write_csv(path: Path, texts: list[str], **columns: list[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", *columns])
        writer.writerows(zip(texts, *columns.values(), strict=True))
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def many(path: Path, rows: int) -> Path:
    return write_csv(
        path, [" ".join([WORDS[row % 6], WORDS[row % 5], f"w{row}"]) if row % 97 else "" for row in range(rows)]
    )


def run_retune(*arguments: str, **options: object) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    return subprocess.run(command, capture_output=True, check=False, **options)  # type: ignore[call-overload,no-any-return]
