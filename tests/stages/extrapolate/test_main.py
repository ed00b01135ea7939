"""The stage extrapolate on a tiny project."""

import json
import shutil
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import AutoModelForSequenceClassification

from stages.errors import DataError
from stages.extrapolate.__main__ import main
from stages.extrapolate.heads import scaled
from stages.files import write_json
from stages.params import Params, read_params
from stages.paths import Paths
from stages.report.__main__ import main as report
from stages.tokens import open_tokens
from tests.stages.report.reporting import make_report


def with_extrapolate(paths: Paths, *, metric: str = "macro_f1") -> Params:
    values = read_params(paths.params).model_dump()
    values["extrapolate"] = {"seeds": [42], "draws": 5}
    values["evaluate"]["metric"] = metric
    return Params.model_validate(values)


@pytest.fixture
def own(copy_project: Paths) -> Paths:
    """A project with an encoder: the one that its fine-tuned model has."""
    model = AutoModelForSequenceClassification.from_pretrained(copy_project.finetuned(1))
    model.base_model.save_pretrained(copy_project.encoder)
    return copy_project


def relabelled(paths: Paths, target: Any, name: str, column: pa.Array) -> None:
    """Give the rows other labels, of another kind, in the column that has them."""
    table = pa.ipc.open_stream((paths.tokens / "tokens.arrow").read_bytes()).read_all()
    kept = table.drop_columns([name]) if name in table.column_names else table
    table = kept.append_column(name, column)
    with pa.OSFile(str(paths.tokens / "tokens.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=50)
    write_json(paths.labels, target)


def test_equal_inputs_give_equal_bytes_and_the_report_shows_them(own: Paths) -> None:
    params = with_extrapolate(own)
    timings = main(params, own, 42)
    first = own.forecast(42).read_bytes()
    assert timings["computed_tokens"] > 0
    assert timings["tokens_per_second"] > 0
    assert main(params, own, 42) == {"computed_tokens": 0, "rows_kept": 1}
    assert own.forecast(42).read_bytes() == first
    content = json.loads(first)
    sizes = {name: len(pq.read_table(own.split(name))) for name in ("train", "val", "test")}
    assert content["rows"] == sizes["train"]
    assert content["measured_rows"] == sizes["val"] + sizes["test"]
    make_report(own, params)
    for name in ("report.html", "report.md"):
        text = (own.report / name).read_text(encoding="utf-8")
        assert "20 more labels like these would probably bring" in text
        assert "More labels" in text
    page = (own.report / "report.html").read_text(encoding="utf-8")
    assert page.count('id="growth"') == page.count('href="#growth"') == 1
    shutil.rmtree(own.forecast(42).parent)
    with pytest.raises(Exception, match=r"forecast\.json is missing\. Create it with: dvc repro"):
        report(params, own)


KINDS = {
    "number": ({"target": "number", "labels": ["low", "high"], "edges": [0.5]}, "r2"),
    "label_set": ({"target": "label_set", "labels": ["a", "b"]}, "micro_f1"),
    "ordered": ({"target": "ordered", "labels": ["1", "2"]}, "quadratic_kappa"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_target_has_its_leading_metric(own: Paths, kind: str) -> None:
    target, metric = KINDS[kind]
    labels = open_tokens(own.tokens).labels
    flags = np.stack([labels == 0, labels == 1], axis=1)
    columns = {
        "number": ("target", pa.array(labels + np.random.default_rng(0).normal(0, 0.1, len(labels)))),
        "label_set": ("label", pa.FixedSizeListArray.from_arrays(pa.array(flags.ravel()), 2)),
    }
    if kind in columns:
        relabelled(own, target, *columns[kind])
    else:
        write_json(own.labels, target)
    main(with_extrapolate(own, metric="auto"), own, 42)
    content = json.loads(own.forecast(42).read_text())
    assert content["metric"] == metric
    assert all(np.isfinite([gain["low"], gain["high"]]).all() for gain in content["gains"])


def test_a_project_without_val_and_test_is_refused(own: Paths) -> None:
    for name in ("val", "test"):
        pq.write_table(pa.table({"position": pa.array([], pa.int64())}), own.split(name))
    with pytest.raises(DataError, match=r"val and test have no rows\. Set split\.val or split\.test"):
        main(with_extrapolate(own), own, 42)


def test_scaled_features_have_a_mean_of_0_and_a_norm_of_1_on_the_reference() -> None:
    features = np.random.default_rng(0).normal(3, 5, (50, 4))
    result = scaled(features, np.arange(30))
    np.testing.assert_allclose(result[:30].mean(0), 0, atol=1e-12)
    assert (result[:30] ** 2).sum(1).mean() == pytest.approx(1)
    assert np.isfinite(scaled(np.ones((5, 2)), np.arange(5))).all()
