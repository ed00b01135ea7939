"""What the names of data files imply for params.yaml."""

import pytest

from pipeline.dataset.implied import data_names, title_of

NAMES = {  # source -> title
    "hf://datasets/org/app_reviews": "App reviews",
    "hf://datasets/org/app_reviews@main": "App reviews",
    "hf://datasets/org/app_reviews@0a1b2c3d": "App reviews",
    "hf://datasets/org/app_reviews@refs/convert/parquet": "App reviews",
    "hf://datasets/org/set/app_reviews@refs/pr/7": "App reviews",
    "https://example.com/app_reviews.csv?revision=main": "App reviews",
    "data/app_reviews.csv": "App reviews",
    "data/me@home/app_reviews.csv": "App reviews",
    "data/me@home.csv": "Me@home",
}


@pytest.mark.parametrize("source", NAMES)
def test_a_title_is_made_from_the_name_without_its_revision(source: str) -> None:
    assert title_of(data_names({"download": {"dataset": {"files": [{"source": source}]}}})) == NAMES[source]
