"""Every value that params.yaml may choose from is run: a value that only the schema knows fails here.

A value is known to the code if it does something of its own. Code that takes an unknown value for another one (in its
last `else`) gives it that one's effect; other code raises. The last test shows that both are noticed, for every key.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.commands.compare import FailOn
from tests.schema_values import EFFECTS, choices

CHOICES = choices()
UNKNOWN = "only_in_the_schema"

Effects = Callable[[str], dict[str, str]]


@pytest.fixture(scope="module")
def effects(tmp_path_factory: pytest.TempPathFactory) -> Effects:
    """Return a function that runs every value of a key, once, and returns what each does."""
    seen: dict[str, dict[str, str]] = {}

    def run(key: str) -> dict[str, str]:
        if key not in seen:
            seen[key] = {value: repr(EFFECTS[key](value, tmp_path_factory.mktemp("run"))) for value in CHOICES[key]}
        return seen[key]

    return run


def test_every_choice_of_the_schema_is_run() -> None:
    assert set(EFFECTS) == set(CHOICES)


@pytest.mark.parametrize("key", CHOICES)
def test_each_value_has_an_effect_of_its_own(key: str, effects: Effects) -> None:
    assert len(set(effects(key).values())) == len(CHOICES[key]), effects(key)


@pytest.mark.parametrize("key", CHOICES)
def test_a_value_that_only_the_schema_knows_is_noticed(key: str, effects: Effects, tmp_path: Path) -> None:
    effect = None  # it raised
    with contextlib.suppress(Exception):
        effect = repr(EFFECTS[key](UNKNOWN, tmp_path))
    assert effect is None or effect in effects(key).values()


def test_the_command_line_offers_the_values_of_the_schema() -> None:
    assert [rule.value for rule in FailOn] == CHOICES["report.gate.fail_on"]
