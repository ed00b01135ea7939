"""What decides a row's bits is the same in every stage: else each would compute the rows of the others again."""

import subprocess
import sys

SCRIPT = """
import os, torch
from stages.kept import context
cpu = torch.device("cpu")
before = context._machine(cpu)
import sklearn.linear_model
import stages.crossfit.__main__, stages.extrapolate.__main__, stages.finetune.__main__, stages.evaluate.__main__
assert context._machine(cpu) == before, context._machine(cpu)
os.environ["OMP_NUM_THREADS"] = "3"  # as `retune run --jobs` does
assert context._machine(cpu) == before
os.environ |= {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1"}
assert context._machine(cpu) == before
os.environ["MKL_CBWR"] = "COMPATIBLE"
assert context._machine(cpu) != before
"""


def test_no_import_of_a_stage_changes_what_kept_rows_are_known_by() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
