"""Where every file of a run lies: the one place that names them (dvc.yaml repeats them; a test compares)."""

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
        """Folder with tokens.arrow, one unpadded row per row of rows.parquet, in its order."""
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
        """Folder: metrics.json, report.html, report.md, model/."""
        return self.root / "data/report"

    @property
    def checkpoints(self) -> Path:
        """Folder outside DVC: checkpoints of fine-tunes that have not finished, by key of their inputs."""
        return self.root / ".retune/checkpoints"

    @property
    def features(self) -> Path:
        """Folder outside DVC: what a fixed encoder gave for train and val, by key of its inputs."""
        return self.root / ".retune/features"

    def timing(self, stage: str) -> Path:
        """Clock time and memory of `stage`, a name of the graph such as `tokenize` or `finetune@42`."""
        if stage.startswith("download@"):  # beside the folder, which is an output as a whole
            return self.root / f"data/download/{stage.removeprefix('download@')}.timing.json"
        return self.root / "data" / stage.replace("@", "/") / "timing.json"
