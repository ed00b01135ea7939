"""The published data sets that benchmarks measure on, and where to download them."""

import os
from pathlib import Path

COLA = "cola/cola_public.zip"
SMS_SPAM = "sms_spam/spamdata_v2.csv"
RATED = "rated_sentences/vaderSentiment-3.3.2.tar.gz"
URLS = {
    COLA: "https://github.com/nyu-mll/CoLA-baselines/raw/master/acceptability_corpus/cola_public.zip",
    SMS_SPAM: "https://raw.githubusercontent.com/prateekjoshi565/Fine-Tuning-BERT/master/spamdata_v2.csv",
    RATED: "the source archive of the package vaderSentiment 3.3.2",
}
FOLDER = Path(os.environ.get("RETUNE_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "datasets"


def require(*names: str) -> list[Path]:
    """Return the files' paths; exit with one line that says what is missing and where to download it."""
    absent = [name for name in dict.fromkeys(names) if not (FOLDER / name).is_file()]
    missing = [f"{FOLDER / name} (from {URLS[name]})" for name in absent]
    if missing:
        raise SystemExit(
            f"error: this benchmark needs {' and '.join(missing)}. Download to that path, or set RETUNE_SHARED to the "
            "folder that holds datasets/."
        )
    return [FOLDER / name for name in names]
