"""Fetch the rows (`dataset`) or the encoder (`model`), check them, and write them in one format.

Reads:  what download.dataset.files or download.model.source names; no later stage uses a network
Writes: data/download/dataset/: rows.parquet (id text text_pair label group split text_key cluster file, and the
        slice columns; the label names in its schema), source.json, stats.json, set_aside.csv
        data/download/model/: config.json, the tokenizer's files, model.safetensors, source.json
Params: download.dataset or download.model

Example: python -m stages.download dataset
"""

from stages import entry
from stages.download.dataset import write_dataset
from stages.download.encoder import copy_encoder, locate_encoder
from stages.download.readers.record import ReadOptions, slice_fields
from stages.files import replace_folder
from stages.params import Params
from stages.paths import Paths


def main(params: Params, paths: Paths, item: str) -> None:
    if item == "model":
        model = params.download.model
        folder, revision = locate_encoder(model.source, root=paths.root)
        with replace_folder(paths.encoder) as target:
            copy_encoder(folder, target, source=model.source, sha256=model.sha256, revision=revision)
        return
    dataset = params.download.dataset
    columns = dataset.columns.model_dump(exclude={"slices"}, exclude_none=True)
    with replace_folder(paths.dataset) as target:
        write_dataset(
            target,
            files=[file.model_dump() for file in dataset.files],
            root=paths.root,
            watched=dataset.folder,
            unpack_limit=params.machine.unpack_limit_mb * 1_000_000,
            options=ReadOptions(
                format=dataset.format,
                encoding=dataset.encoding,
                delimiter=dataset.delimiter,
                header=dataset.header,
                quoting=dataset.quoting,
                columns=columns | slice_fields(dataset.columns.slices),
            ),
            labels={str(value): name for value, name in dataset.labels.items()},
            policies=dataset.checks.model_dump(exclude={"min_rows_per_label", "near_duplicate_similarity"}),
            min_rows_per_label=dataset.checks.min_rows_per_label,
            similarity=dataset.checks.near_duplicate_similarity,
        )


if __name__ == "__main__":
    entry.run(main, stage="download", doc=__doc__, argument=entry.Argument("item", choices=("dataset", "model")))
