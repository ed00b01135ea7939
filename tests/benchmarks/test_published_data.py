"""A benchmark without its data says in one line what it needs and where to download it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COLA = ("cola/cola_public.zip", "https://github.com/nyu-mll/CoLA-baselines/")
SMS_SPAM = ("sms_spam/spamdata_v2.csv", "https://raw.githubusercontent.com/prateekjoshi565/Fine-Tuning-BERT/")


@pytest.mark.parametrize(
    ("command", "code", "needed"),
    [
        ("make --old-file=.venv/ready bench", 2, [COLA, SMS_SPAM]),  # 2 is make's code for a command that failed
        ("python benchmarks/bench_compare.py pairs cola", 1, [COLA]),
        ("python benchmarks/bench_compare.py seeds", 1, [SMS_SPAM]),
        ("python benchmarks/bench_predict.py speed", 1, [SMS_SPAM]),
    ],
)
def test_missing_data_is_one_line(command: str, code: int, needed: list[tuple[str, str]], tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    outer_make = ("MAKELEVEL", "MAKEFLAGS", "MFLAGS")  # where `make test` runs this, make calls itself make[1]
    environment = {name: value for name, value in os.environ.items() if name not in outer_make}
    environment |= {"RETUNE_SHARED": str(tmp_path), "PATH": path}
    done = subprocess.run(command.split(), cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if "make: python: Permission denied" in done.stderr:
        pytest.skip("make can't see the interpreter, because it knows nothing of this user's capabilities")
    assert done.returncode == code
    line, *rest = done.stderr.splitlines()
    assert line.startswith("error: this benchmark needs ")
    assert all(other.startswith("make: ") for other in rest)
    for file, url in needed:
        assert f"{tmp_path}/datasets/{file} (from {url}" in line
    assert line.count("(from ") == len(needed)
