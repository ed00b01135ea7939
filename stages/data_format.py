"""How the data of a model was written: `input.json` of its folder, which predictions take for their defaults."""

import codecs
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stages.errors import ModelError
from stages.files import write_json
from stages.model_config import read_object
from stages.model_files import REPAIR, is_present
from stages.schema import Dataset
from stages.special_files import leads_outside

FILE = "input.json"
Name = Annotated[str, Field(min_length=1, max_length=10_000)] | Annotated[int, Field(ge=0, le=100_000)]


class DataFormat(BaseModel):
    """How rows were written that a model was trained on; absent keys have the usual values.

    A column is a name, or a number from 0 where there is no header.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    format: Literal["csv", "tsv", "jsonl", "json", "excel", "lines", "folders", "parquet", "arrow", "hf"] = "csv"
    encoding: Annotated[str, Field(min_length=1, max_length=100)] = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    header: bool = True
    quoting: bool = True
    sheet: str | int | None = None
    text: Name = "text"
    text_pair: Name | None = None

    @property
    def of_pairs(self) -> bool:
        """Whether the model was trained on pairs of texts."""
        return self.text_pair is not None


def write_data_format(folder: Path, dataset: Dataset) -> None:
    """Write how the rows of a data set are written into the folder of its model."""
    read = {key: getattr(dataset, key) for key in ("format", "encoding", "delimiter", "header", "quoting", "sheet")}
    write_json(folder / FILE, {**read, "text": dataset.columns.text, "text_pair": dataset.columns.text_pair})


def read_data_format(folder: Path) -> DataFormat | None:
    """Return how the data of a model was written; None where its folder does not say.

    Raises:
        ModelError: The file is damaged.
    """
    if not is_present(folder / FILE, str(folder)):
        return None
    if leads_outside(folder / FILE, folder):
        raise ModelError(f"{folder}: {FILE} is a link to another folder. Copy the file there.")
    try:
        data_format = DataFormat.model_validate(read_object(folder / FILE, str(folder)))
        codecs.lookup(data_format.encoding)
    except ValidationError as error:
        first: Any = error.errors()[0]
        key = ".".join(map(str, first["loc"][:1])) or "the file"
        raise ModelError(f"{folder / FILE}: {key}: {first['msg']}, not {first['input']!r:.100}. {REPAIR}") from error
    except (LookupError, ValueError) as error:
        raise ModelError(
            f"{folder / FILE}: encoding: {data_format.encoding!r} is not a text encoding. {REPAIR}"
        ) from error
    return data_format
