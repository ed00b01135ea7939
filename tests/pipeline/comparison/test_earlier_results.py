"""What git knows about earlier results; test_compare.py has them in a real repository."""

from typing import Any

import pytest

from pipeline.comparison.earlier_results import TEST_ROWS, EarlierResult, SeedSpread, pool_seeds

LOCK = """schema: '2.0'
stages:
  evaluate@42:
    cmd: python -m stages.evaluate 42
    deps:
    - path: data/split/test.parquet
      {hash}md5: ffffffffffffffffffffffffffffffff
      size: 10
    outs:
    - path: data/evaluate/42/metrics.json
      {hash}md5: eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee
  split:
    cmd: python -m stages.split
    deps:
    - path: data/tokenize/tokens
      {hash}md5: dddddddddddddddddddddddddddddddd
    outs:
    - path: data/split/stats.json
      {hash}md5: cccccccccccccccccccccccccccccccc
    - path: data/split/test.parquet
      {hash}md5: 0123456789abcdef0123456789abcdef
      size: 10
  evaluate@1:
    cmd: python -m stages.evaluate 1
    outs:
    - path: data/split/test.parquet
      {hash}md5: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
"""


def result(seeds: int, sd: float | None, name: str = "mcc") -> EarlierResult:
    test = {name: {"mean": 0.5 + seeds / 100, "sd": sd}}
    return EarlierResult({"seeds": list(range(seeds)), "test": test}, "rows")


@pytest.mark.parametrize("hash_line", ["", "hash: md5\n      "])
def test_the_test_rows_are_those_that_split_wrote(hash_line: str) -> None:
    lock = LOCK.format(hash=hash_line)
    match = TEST_ROWS.search(lock)
    assert match is not None
    assert match[1] == "0123456789abcdef0123456789abcdef"
    assert TEST_ROWS.search(lock.replace("  split:", "  split2:")) is None


@pytest.mark.parametrize(("seeds", "number"), [([42], 1), ([1, 2, 3], 3), (None, 1), ("123", 1), ({"1": 2}, 1)])
def test_the_report_says_how_many_seeds_a_result_has(seeds: Any, number: int) -> None:
    assert EarlierResult({"seeds": seeds}, "rows").seeds == number


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([], None),
        ([result(1, None)], None),
        ([result(3, 0.1)], SeedSpread(1, 2, {"test.mcc": pytest.approx(0.01)})),
        # 2 and 1 degrees of freedom: (2 * 0.01 + 1 * 0.04) / 3
        ([result(3, 0.1), result(1, None), result(2, 0.2)], SeedSpread(2, 3, {"test.mcc": pytest.approx(0.02)})),
    ],
)
def test_the_spread_of_earlier_seeds_is_pooled_by_degrees_of_freedom(results: Any, expected: SeedSpread | None) -> None:
    assert pool_seeds(results, without={}) == expected


def test_seeds_that_are_compared_themselves_are_not_counted_again() -> None:
    own = result(3, 0.1)
    assert pool_seeds([own], without=own.report) is None


@pytest.mark.parametrize("other", [result(3, 0.2, "accuracy"), result(3, None)])
def test_a_metric_whose_spread_not_all_results_have_is_unknown(other: EarlierResult) -> None:
    assert pool_seeds([result(3, 0.1), other], without={}) is None
