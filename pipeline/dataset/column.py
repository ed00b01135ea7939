"""What stands in one column of a data file."""

from dataclasses import dataclass, field

from pipeline.dataset.dialect_guess import is_number

MOST_VALUES = 10_000  # of a column that are told apart


@dataclass
class Column:
    """What stands in one column.

    Attributes:
        name: Its name, or its number (from 0) where there is no header.
        filled: Rows in which it is not blank.
        characters: Of all its values.
        values: The distinct ones, up to MOST_VALUES.
        numbers: Are all of them numbers?
    """

    name: str | int
    filled: int = 0
    characters: int = 0
    values: dict[str, None] = field(default_factory=dict)
    numbers: bool = True

    def add(self, value: str) -> None:
        """Take the value of one row into account."""
        value = value.strip()
        if not value:
            return
        self.filled += 1
        self.characters += len(value)
        self.numbers = self.numbers and is_number(value)
        if len(self.values) < MOST_VALUES:
            self.values[value] = None

    @property
    def mean_length(self) -> float:
        """Characters of a value, on average."""
        return self.characters / max(1, self.filled)
