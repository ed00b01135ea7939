"""Overrides that reach into a list by an item's number."""

from pathlib import Path

import pytest

from pipeline import recipes
from stages.errors import ParamsError
from stages.params import parse_params, parse_yaml

REPOSITORY = Path(__file__).parents[2]


def test_an_item_of_a_list_is_changed_by_its_number() -> None:
    changes = ["download.dataset.files.1.source=b.zip", "seeds.0=7"]
    text = recipes.compose(REPOSITORY, "cola", changes)
    params = parse_params(parse_yaml(text, name="x"), name="x")
    first, second = params.download.dataset.files
    assert first.source.startswith("https://")
    assert (second.source, second.split) == ("b.zip", "test")
    assert params.seeds == [7]


@pytest.mark.parametrize("number", ["2", "x", "-1"])
def test_a_number_that_the_list_does_not_have(number: str) -> None:
    with pytest.raises(ParamsError, match=rf"files is a list of 2; give an item's number from 0, not {number}"):
        recipes.compose(REPOSITORY, "cola", [f"download.dataset.files.{number}.source=b.zip"])
