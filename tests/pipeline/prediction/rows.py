"""Rows for predictions, as files and read back, and the command in a process of its own."""

import csv
import io
import subprocess
import sys
from pathlib import Path

WORDS = ["good", "bad", "crash", "love", "money", "slow"]


TEXTS = ["good app", "bad, crash", 'he said "free money"', "two\nlines", "ünïcode 🙂", "good app"]


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
