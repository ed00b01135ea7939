"""The open input of a command, and how it is read: as options, its name and the data of the model say."""

import contextlib
import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.prediction.input_format import STDIN, TEXT, InputFormat, format_of, resolve
from pipeline.prediction.places import check_out
from pipeline.prediction.records import peek
from pipeline.prediction.request import PredictionRequest, input_size, open_input, writer_for
from pipeline.prediction.window import Window
from pipeline.prediction.windows import WindowReader
from pipeline.prediction.writers import Writer
from stages.data_format import read_data_format

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """An open input.

    Args:
        request: What the command line says.
        file: The file, folder or stream, at its start.
        file_format: Its format.
        read: How its rows are read.
        writer: Of the output.
    """

    request: PredictionRequest
    file: BinaryIO
    file_format: str
    read: InputFormat
    writer: Writer

    @property
    def size(self) -> int | None:
        """Bytes, or rows of Parquet; None: not known."""
        return input_size(self.file, self.request, self.file_format)

    def windows(self, skip: int = 0) -> Generator[Window, None, None]:
        """Yield the rows after the first `skip` (>= 0) rows; raises as `WindowReader.windows`."""
        return WindowReader(self.request.input_name, self.file, self.read).windows(skip=skip)


@contextlib.contextmanager
def open_source(request: PredictionRequest) -> Iterator[Source]:
    """Open the input of a command.

    Raises:
        DataError: It can't be read, its format is not known, or the output can't be written or can't hold it.
    """
    data_format = read_data_format(request.model) if request.model.is_dir() else None
    file_format = format_of(request.file, request.options, data_format)
    with open_input(request, file_format) as file:
        if request.out is not None:
            check_out(request.out, file=None if request.file == STDIN else Path(request.file), model=request.model)
        writer = writer_for(request, file_format)
        head = peek(file, request.input_name) if file_format in TEXT else b""
        read = resolve(request.file, request.options, data_format, head)
        if read.taken:
            log.info(
                "%s is read with the settings of the model's training data: %s",
                request.input_name,
                ", ".join(read.taken),
            )
        yield Source(request, file, file_format, read, writer)
