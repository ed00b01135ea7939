"""How a file of rows is written, and how messages name each setting."""

from dataclasses import dataclass

DELIMITERS = {"csv": ",", "tsv": "\t"}


@dataclass(frozen=True)
class Settings:
    """How a caller's messages name what a user can set: keys of params.yaml, or options of the command line."""

    format: str = "download.dataset.format"
    encoding: str = "download.dataset.encoding: {}"
    delimiter: str = "download.dataset.delimiter"
    quoting: str = "download.dataset.quoting: false"
    sheet: str = "download.dataset.sheet"
    source: str = "download.dataset.files"
    folder: str | None = "download.dataset.folder"
    verb: str = "Set"
    read_as: str = "download.dataset.format: {}"

    def set(self, setting: str) -> str:
        """Return the advice to set something: `Set download.dataset.quoting: false`."""
        return f"{self.verb} {setting}"


PARAMS = Settings()
OPTIONS = Settings(
    "--format", "--encoding {}", "--delimiter", "--no-quoting", "--sheet", "--file", None, "Add", "--format {}"
)


@dataclass(frozen=True)
class Dialect:
    """How a file of rows is written.

    Args:
        format: csv, tsv, jsonl, json, lines or excel.
        encoding: Of a text format, by Python's name.
        delimiter: Between the fields of csv and tsv; None: the one that a line `sep=;` names, else a comma, a tab.
        header: Is the first row of csv, tsv and excel the names of the columns?
        quoting: Is `"` a quote in csv and tsv?
        sheet: Of a workbook, by name, else number (from 0); None: the first.
        longest: Characters of a row, at most.
        settings: How messages name these.
    """

    format: str
    encoding: str = "utf-8"
    delimiter: str | None = None
    header: bool = True
    quoting: bool = True
    sheet: str | int | None = None
    longest: int = 100_000_000
    settings: Settings = PARAMS
