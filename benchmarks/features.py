"""Features of the published data sets: means of the bundled encoder's token vectors, computed once and kept."""

import csv
import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from finetune_data import ROOT, bundled_encoder
from numpy.typing import NDArray
from published_data import COLA, SMS_SPAM, require
from transformers import AutoModel, AutoTokenizer

KEPT = Path(tempfile.gettempdir()) / "retune-features"


def features_of(task: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the features of all rows of a task, scaled as the stage extrapolate scales them, and their labels."""
    texts, labels = {"sms_spam": _sms_spam, "cola": _cola, "reviews": _reviews}[task]()
    path = KEPT / f"{task}.npy"
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        np.save(path, encoder_means(texts).numpy())
    features = np.load(path).astype(np.float64)
    features -= features.mean(axis=0)
    return features / np.sqrt((features**2).sum(axis=1).mean()), labels


def encoder_means(texts: list[str]) -> torch.Tensor:
    """Return the mean of the bundled encoder's token vectors of each text, (texts, width)."""
    tokenizer, model = (kind.from_pretrained(bundled_encoder()) for kind in (AutoTokenizer, AutoModel))
    means = torch.zeros(len(texts), model.config.hidden_size)
    order = np.argsort([len(text) for text in texts])
    for indices in np.array_split(order, len(texts) // 64 + 1):
        batch = tokenizer([texts[index] for index in indices], padding=True, truncation=True, return_tensors="pt")
        mask = batch["attention_mask"][:, :, None]
        with torch.inference_mode():
            means[indices] = (model(**batch).last_hidden_state * mask).sum(1) / mask.sum(1)
    return means


def _sms_spam() -> tuple[list[str], NDArray[np.int64]]:
    table = pd.read_csv(require(SMS_SPAM)[0])
    return table.text.astype(str).tolist(), table.label.to_numpy(np.int64)


def _cola() -> tuple[list[str], NDArray[np.int64]]:
    with zipfile.ZipFile(require(COLA)[0]) as archive:
        raw = archive.read("cola_public/raw/in_domain_train.tsv")
    table = pd.read_csv(io.BytesIO(raw), sep="\t", header=None, quoting=csv.QUOTE_NONE)
    return table[3].tolist(), table[1].to_numpy(np.int64)


def _reviews() -> tuple[list[str], NDArray[np.int64]]:
    table = pd.read_csv(ROOT / "data/samples/app_reviews.csv")
    return table.content.tolist(), table.score.to_numpy(np.int64) - 1
