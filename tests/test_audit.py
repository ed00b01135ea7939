"""What `make audit` says of pip-audit's answer: a vulnerability fails, an advisory service that is away does not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOUND = {"name": "sound", "version": "1.0", "vulns": []}
FAULTY = {"name": "faulty", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
OPEN = {"name": "open", "version": "3.0", "vulns": [{"id": "GHSA-2", "fix_versions": []}]}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found"}


def audit(text: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, ROOT / ".ci/audit.py"], input=text, capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([SOUND], 0, "audit: 1 of 1 pinned packages checked, no known vulnerability.\n"),
        ([SOUND, UNKNOWN], 0, "1 of 2 pinned packages checked, no known vulnerability; the advisory service does not"),
        ([SOUND, FAULTY], 1, "audit: faulty 2.0 has PYSEC-1; fixed in 2.1. Move its pin in constraints.txt.\n"),
        ([OPEN], 1, "audit: open 3.0 has GHSA-2; fixed in no version yet."),
        ([FAULTY, OPEN, UNKNOWN], 1, "PYSEC-1"),
        ([UNKNOWN], 0, "nothing was checked"),
    ],
)  # fmt: skip
def test_what_the_advisory_service_answers(packages: list[object], code: int, said: str) -> None:
    result = audit(json.dumps({"dependencies": packages, "fixes": []}))
    assert result[0] == code
    assert said in result[1]


def test_the_makefile_checks_the_pins() -> None:
    assert "check: setup audit" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("text", ["", "Traceback (most recent call last):\n", "{}"])
def test_an_advisory_service_that_is_away(text: str) -> None:
    assert audit(text) == (
        0,
        "audit: the advisory service can't be reached, or knows no package: nothing was checked.\n",
    )
