"""Each option of finetune fits some kinds of target; the others refuse it before anything is fetched or trained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from stages.errors import ParamsError
from stages.params import parse_params, read_params
from stages.schema import Finetune
from stages.targets.options import check_options
from stages.targets.target import KINDS, METRICS, MONITORS, Kind
from stages.targets.training import TRAINING

PARAMS = read_params(Path(__file__).parents[3] / "recipes/default.yaml")
OPTIONS: dict[str, tuple[Any, set[Kind]]] = {  # key -> a value that is not the default, and the kinds that it fits
    "loss": ("huber", {"number"}),
    "class_weights": ("balanced", {"classes", "ordered", "label_set"}),
    "label_smoothing": (0.1, {"classes", "ordered", "label_set"}),
}
CASES = [
    *(
        ("monitor", name, {kind for kind in KINDS if name in MONITORS[kind]})
        for name in sorted(set().union(*MONITORS.values()))
    ),
    *((key, value, kinds) for key, (value, kinds) in OPTIONS.items()),
]


def accepts(check: Callable[[], object]) -> bool:
    try:
        check()
    except ParamsError:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("key", "value", "kinds"), CASES, ids=[f"{key}-{value}" for key, value, _ in CASES])
def test_an_option_is_taken_by_the_kinds_that_it_fits(key: str, value: Any, kinds: set[Kind], kind: Kind) -> None:
    options = PARAMS.finetune.model_copy(update={"monitor": "val.loss", key: value})
    assert accepts(lambda: check_options(kind, options)) == (kind in kinds)
    if kind not in kinds:
        with pytest.raises(ParamsError, match=rf"^finetune\.{key} is .*the label is .*Set (it to|one of)"):
            check_options(kind, options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("key", "value", "kinds"), CASES, ids=[f"{key}-{value}" for key, value, _ in CASES])
def test_params_that_name_the_kind_are_refused_when_they_are_read(
    key: str, value: Any, kinds: set[Kind], kind: Kind
) -> None:
    values = PARAMS.model_dump(mode="json")
    values["download"]["dataset"]["target"] = kind
    values["finetune"] |= {"monitor": "val.loss", key: value}
    assert accepts(lambda: parse_params(values, name="params.yaml")) == (kind in kinds)
    values["download"]["dataset"]["target"] = "auto"
    assert accepts(lambda: parse_params(values, name="params.yaml"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_may_choose_the_epoch_is_measured(kind: Kind) -> None:
    measured = {f"val.{name}" for name in TRAINING[kind].val_metrics(3)}
    assert set(MONITORS[kind]) == {"val.loss"} | measured
    assert set().union(*MONITORS.values()) == set(get_args(Finetune.model_fields["monitor"].annotation))
    assert METRICS.keys() == MONITORS.keys()
