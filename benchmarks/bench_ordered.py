"""Losses that know the order of the classes, beside cross-entropy: the same rows, seeds and settings.

The losses are in ordinal_losses.py. Each is decided by the most probable class and by the median of the probabilities,
which makes the mean absolute error smallest. Temperatures are fitted on val.

Methods: `full` is the stage finetune with the loss alone exchanged. `linear` fits a linear layer to convergence on the
means of the bundled encoder's tokens, computed once; of five L2 penalties it takes the one with the least loss on val.

Tasks: the bundled reviews, drawn anew by each seed; and sentences of film reviews with the mean of 20 people's ratings
from -4 to 4 (Hutto, Gilbert, "VADER", 2014), cut into five classes where the Stanford Sentiment Treebank cuts its own.
In `films` each seed has rows of its own, in `films-4000` it draws more rows anew. Get them with:
    pip download vaderSentiment==3.3.2 --no-deps --no-binary :all:

Example: python benchmarks/bench_ordered.py run --task reviews --method linear --runs runs.csv
         python benchmarks/bench_ordered.py show --runs runs.csv
"""

import argparse
import csv
import io
import itertools
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from finetune_data import ROOT, bundled_encoder, write_root
from numpy.typing import NDArray
from ordinal_losses import LOSSES, class_probabilities, median
from ruamel.yaml import YAML
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer

from stages.finetune.__main__ import main as finetune
from stages.finetune.training.lightning_module import FinetuneModule
from stages.inference.forward import logits_of
from stages.inference.loading import load_model
from stages.metrics.calibration import fit_temperature, scale
from stages.params import Params
from stages.paths import Paths
from stages.tokens import batches_by_tokens, open_tokens

ARCHIVE, MEMBER = "hutto_ICWSM_2014.tar.gz", "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
CUTS = (-2.4, -0.8, 0.8, 2.4)  # 0.2, 0.4, 0.6 and 0.8 of the range
SIZES = {"reviews": (460, 100, 360), "films": (460, 100, 360), "films-4000": (4000, 1000, 5000)}  # train, val, test
PENALTIES = (1e-2, 3e-2, 1e-1, 3e-1, 1e0)  # of the sum of the squared weights
MEASURES = {"kappa": 1, "mae": -1, "accuracy": 1, "log_loss": -1}  # 1: more is better


def reviews() -> pd.DataFrame:
    """Read the bundled reviews: columns text and label."""
    table = pd.read_csv(ROOT / "data/samples/app_reviews.csv")
    return pd.DataFrame({"text": table.content, "label": table.score - 1})


def films(archive: Path) -> pd.DataFrame:
    """Read the sentences of film reviews from the package's source archive: columns text and label."""
    with tarfile.open(archive) as outer:
        inner = next(name for name in outer.getnames() if name.endswith(ARCHIVE))
        with tarfile.open(fileobj=outer.extractfile(inner)) as files:
            raw = files.extractfile(MEMBER).read()  # type: ignore[union-attr]
    names = ["id", "rating", "text"]
    table = pd.read_csv(
        io.BytesIO(raw), sep="\t", names=names, quoting=csv.QUOTE_NONE, encoding="latin-1", keep_default_na=False
    )
    return pd.DataFrame({"text": table.text, "label": np.digitize(table.rating.astype(float), CUTS)})


def drawn(task: str, rows: int, seed: int) -> list[NDArray[np.int64]]:
    """Return a seed's rows of train, val and test: in films no other seed has them, elsewhere they are drawn anew."""
    train, val, test = SIZES[task]
    count = train + val + test
    if task == "films":
        positions = np.random.default_rng(0).permutation(rows)[seed * count : (seed + 1) * count]
    else:
        positions = np.random.default_rng(seed).permutation(rows)[:count]
    return np.split(positions, [train, train + val])


def fine_tuned(table: pd.DataFrame, splits: list[NDArray[np.int64]], seed: int, loss: str) -> list[NDArray[np.float32]]:
    """Return the probabilities of val and test by the encoder that the stage fine-tunes with a loss."""
    recipe = YAML(typ="safe").load((ROOT / "recipes/default.yaml").read_text(encoding="utf-8"))
    recipe["finetune"]["accelerator"] = "cpu"
    train, val, test = np.split(np.arange(sum(map(len, splits))), np.cumsum([len(split) for split in splits])[:-1])

    def losses(self: FinetuneModule, logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        return LOSSES[loss](logits.float(), labels)

    with tempfile.TemporaryDirectory() as folder:
        rows = table.iloc[np.concatenate(splits)].reset_index(drop=True)
        paths = write_root(Path(folder), rows, {"train": train, "val": val}, max_length=128)
        with patch.object(FinetuneModule, "_losses", losses):
            finetune(Params.model_validate(recipe), paths, seed)
        return [probabilities_of(paths, positions, seed, loss) for positions in (val, test)]


def linear(features: Tensor, labels: Tensor, splits: list[NDArray[np.int64]], loss: str) -> list[NDArray[np.float32]]:
    """Return the probabilities of val and test by the linear layer with the least loss on val."""
    train, val, test = (torch.from_numpy(split) for split in splits)
    mean, sd = features[train].mean(0), features[train].std(0)
    inputs = nn.functional.pad((features - mean) / sd, (0, 1), value=1.0)  # the last is the bias's
    best: tuple[float, Tensor, float] = (float("inf"), torch.empty(0), 0.0)
    for penalty in PENALTIES:
        weight = fit(inputs[train], labels[train], loss, penalty)
        of_val = float(weighted_mean(LOSSES[loss](inputs[val] @ weight, labels[val])))
        best = min(best, (of_val, weight, penalty), key=lambda found: found[0])
    print(f"{loss}: penalty {best[2]:g}", flush=True)
    return [class_probabilities(loss, inputs[split] @ best[1]) for split in (val, test)]


def fit(inputs: Tensor, labels: Tensor, loss: str, penalty: float) -> Tensor:
    """Return the weights with the least penalised loss, (features + 1, classes)."""
    weight = torch.zeros(inputs.shape[1], int(labels.max()) + 1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        cost = weighted_mean(LOSSES[loss](inputs @ weight, labels)) + penalty * weight[:-1].square().sum()
        cost.backward()
        return cost

    optimizer.step(closure)  # type: ignore[arg-type]
    return weight.detach()


def weighted_mean(losses: tuple[Tensor, Tensor]) -> Tensor:
    """Return the mean of the rows' losses by their weights."""
    return (losses[0] * losses[1]).sum() / losses[1].sum()


def encoder_means(texts: list[str]) -> Tensor:
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


def probabilities_of(paths: Paths, positions: NDArray[np.int64], seed: int, loss: str) -> NDArray[np.float32]:
    """Return the probabilities of some rows by the fine-tuned model, (rows, classes)."""
    model, tokens = load_model(paths.finetuned(seed)), open_tokens(paths.tokens)
    found = np.zeros((len(positions), int(model.config.num_labels or 0)), dtype=np.float32)
    for indices in batches_by_tokens(tokens.lengths[positions], 1_024):
        logits = logits_of(model, tokens.pad(positions[indices], pad_token_id=model.config.pad_token_id or 0))
        found[indices] = class_probabilities(loss, logits)
    return found


def results(labels: list[NDArray[np.int64]], probabilities: list[NDArray[np.float32]]) -> list[dict[str, Any]]:
    """Return the measures on test of each decision; val fits the temperature."""
    temperature = fit_temperature(labels[0], probabilities[0])
    calibrated = scale(probabilities[1], temperature)
    return [{"decision": name, "temperature": temperature} | found for name, found in measures(labels[1], calibrated)]


def measures(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield each decision and its measures."""
    log_loss = -np.log(probabilities[np.arange(len(labels)), labels].clip(1e-7)).mean()
    for name, preds in (("mode", probabilities.argmax(1)), ("median", median(probabilities))):
        values = {
            "kappa": float(cohen_kappa_score(labels, preds, weights="quadratic")),
            "mae": float(np.abs(labels - preds).mean()),
            "accuracy": float((labels == preds).mean()),
            "log_loss": float(log_loss),
        }
        yield name, values


def show(table: pd.DataFrame) -> None:
    """Print the tables of benchmarks/ordered.md: means, and paired differences to cross-entropy by the mode."""
    for (task, method), runs in table.groupby(["task", "method"], sort=False):
        wide = runs.set_index(["loss", "decision", "seed"])[list(MEASURES)]
        base = wide.loc[("ce", "mode")]
        print(f"\n{task}, {method}, {len(base)} seeds\n\n| loss | decision | {' | '.join(MEASURES)} |\n|{'---|' * 6}")
        for loss in LOSSES:
            for decision in ("mode", "median"):
                if (loss, decision) in wide.index:
                    cells = [cell(wide.loc[(loss, decision)][name], base[name], task) for name in MEASURES]
                    print(f"| {loss} | {decision} | {' | '.join(cells)} |")


def cell(values: pd.Series, base: pd.Series, task: str) -> str:
    """Return the mean, and where it differs from the base its difference and p by a paired t-test.

    Draws overlap but in films, so their variance is corrected (Nadeau, Bengio, "Inference for the generalization
    error", 2003).
    """
    differences = (values - base).dropna()
    mean, count = f"{values.mean():.3f}", len(differences)
    if not differences.abs().sum():
        return mean
    share = 1 / count + (0.0 if task == "films" else SIZES[task][2] / SIZES[task][0])
    t = differences.mean() / (differences.var(ddof=1) * share) ** 0.5
    p = 2 * stats.t.sf(abs(t), count - 1)
    return f"{mean} ({differences.mean():+.3f}, p {p:.2g})"


def main() -> None:
    """Run what the runs' file lacks, or show its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "show"])
    parser.add_argument("--runs", type=Path, required=True, help="CSV file of the runs; those in it are not run again")
    parser.add_argument("--task", choices=list(SIZES), default="reviews")
    parser.add_argument("--method", choices=["linear", "full"], default="linear")
    parser.add_argument("--losses", nargs="+", choices=list(LOSSES), default=list(LOSSES))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--films", type=Path, default=Path("vaderSentiment-3.3.2.tar.gz"), help="the source archive")
    given = parser.parse_args()
    if given.action == "show":
        show(pd.read_csv(given.runs))
        return
    table = reviews() if given.task == "reviews" else films(given.films)
    labels = table.label.to_numpy()
    features = encoder_means(list(table.text)) if given.method == "linear" else None
    for seed, loss in itertools.product(given.seeds, given.losses):
        key = {"task": given.task, "method": given.method, "seed": seed, "loss": loss}
        if given.runs.exists() and (pd.read_csv(given.runs)[list(key)] == pd.Series(key)).all(axis=1).any():
            continue
        splits = drawn(given.task, len(table), seed)
        if features is None:
            probabilities = fine_tuned(table, splits, seed, loss)
        else:
            probabilities = linear(features, torch.from_numpy(labels), splits, loss)
        rows = [key | values for values in results([labels[split] for split in splits[1:]], probabilities)]
        pd.DataFrame(rows).to_csv(given.runs, mode="a", header=not given.runs.exists(), index=False)


if __name__ == "__main__":
    main()
