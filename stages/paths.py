"""The path of every file of a run. dvc.yaml repeats these paths, and a test compares the two."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The files under `root`, the folder that holds params.yaml.

    Example:
        >>> Paths().metrics(42).as_posix()
        'data/evaluate/42/metrics.json'
    """

    root: Path = Path()

    @property
    def params(self) -> Path:
        return self.root / "params.yaml"

    @property
    def dataset(self) -> Path:
        """Folder: rows.parquet, source.json, stats.json, set_aside.csv."""
        return self.root / "data/download/dataset"

    @property
    def rows(self) -> Path:
        return self.dataset / "rows.parquet"

    @property
    def encoder(self) -> Path:
        """Folder of the pretrained encoder: config, tokenizer files, model.safetensors, source.json."""
        return self.root / "data/download/model"

    @property
    def tokens(self) -> Path:
        """Folder of tokens.arrow: the rows of rows.parquet, unpadded and in the same order."""
        return self.root / "data/tokenize/tokens"

    @property
    def labels(self) -> Path:
        return self.root / "data/tokenize/labels.json"

    @property
    def lengths(self) -> Path:
        return self.root / "data/tokenize/lengths.csv"

    @property
    def token_stats(self) -> Path:
        return self.root / "data/tokenize/stats.json"

    def split(self, name: str) -> Path:
        """Row positions of the split `train`, `val` or `test`."""
        return self.root / f"data/split/{name}.parquet"

    @property
    def split_stats(self) -> Path:
        return self.root / "data/split/stats.json"

    @property
    def folds(self) -> Path:
        """Folder: stats.json; with folds also tokens.arrow (all rows, without labels) and FOLD.parquet."""
        return self.root / "data/split/folds"

    def fold(self, fold: int) -> Path:
        """Rows of the fold and of the others, with the labels of the others alone."""
        return self.folds / f"{fold}.parquet"

    def fold_predictions(self, fold: int) -> Path:
        """What the fold's model answers for the rows of the fold."""
        return self.root / f"data/crossfit/{fold}/predictions.parquet"

    def finetuned(self, seed: int) -> Path:
        """Folder of the fine-tuned model (`save_pretrained`)."""
        return self.root / f"data/finetune/{seed}/model"

    def curve(self, seed: int) -> Path:
        return self.root / f"data/finetune/{seed}/curve.csv"

    def finetune_stats(self, seed: int) -> Path:
        return self.root / f"data/finetune/{seed}/stats.json"

    def evaluation(self, seed: int) -> Path:
        """Folder: predictions.parquet, metrics.json and the plots' CSV files."""
        return self.root / f"data/evaluate/{seed}"

    def predictions(self, seed: int) -> Path:
        return self.evaluation(seed) / "predictions.parquet"

    def metrics(self, seed: int) -> Path:
        return self.evaluation(seed) / "metrics.json"

    @property
    def report(self) -> Path:
        """Folder: headline.json, metrics.json, report.html, report.md, model/."""
        return self.root / "data/report"

    @property
    def headline(self) -> Path:
        """The few metrics that DVC shows and git keeps."""
        return self.report / "headline.json"

    @property
    def all_metrics(self) -> Path:
        """Every number of the report; in DVC's cache, like the report."""
        return self.report / "metrics.json"

    @property
    def checkpoints(self) -> Path:
        """Folder outside DVC: checkpoints of unfinished fine-tunes, each under the key of its inputs."""
        return self.root / ".retune/checkpoints"

    @property
    def kept_rows(self) -> Path:
        """File outside DVC: what models gave for rows, by content."""
        return self.root / ".retune/rows/rows.sqlite"

    @property
    def rates(self) -> Path:
        """File outside DVC: how fast this machine multiplies matrices."""
        return self.root / ".retune/rates.json"

    def timing(self, stage: str) -> Path:
        """Time and memory that `stage` took; it is a name in the graph, such as `tokenize` or `finetune@42`.

        These files have a folder of their own: `report` depends on the folders of finetune and evaluate, and another
        clock time must not run it again.
        """
        return self.root / f"data/timing/{stage}.json"
