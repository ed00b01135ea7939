import gc
import subprocess
import sys

import pytest

from stages import importing

STARTED = """
import sys
from stages.importing import end_imports, start_imports
start_imports()
import lightning.pytorch, torchmetrics
assert "scipy.stats" not in sys.modules, "all of scipy.signal was imported"
end_imports()
import scipy.signal
from torchmetrics.functional import matthews_corrcoef
print(scipy.signal.windows.hamming(3).round(2).tolist(), scipy.signal.convolve([1, 2], [1, 1]).tolist())
"""


def test_spares_what_torchmetrics_does_for_an_audio_metric_and_leaves_scipy_signal_whole():
    printed = subprocess.run([sys.executable, "-c", STARTED], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[0.08, 1.0, 0.08] [1, 3, 2]"


@pytest.mark.parametrize("present", [False, True])
def test_what_was_imported_before_stays(present, monkeypatch):
    import scipy.signal

    if not present:
        monkeypatch.delitem(sys.modules, "scipy.signal")
    importing.start_imports()
    try:
        assert (sys.modules["scipy.signal"] is scipy.signal) == present
    finally:
        importing.end_imports()
    assert sys.modules.get("scipy.signal") is (scipy.signal if present else None)
    assert gc.isenabled()
