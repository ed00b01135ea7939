"""The model folder of the report: transformers cuts a long text as training did."""

import json

import pytest
from transformers import pipeline

from stages.inference.classifier import Classifier
from stages.paths import Paths
from stages.report.render.card import cutting
from stages.schema import Tokenize

WORDS = "good bad slow fast love hate crash update money free call win"


@pytest.mark.parametrize("own", ["left", "right", None])
@pytest.mark.parametrize("truncation", ["head", "tail"])
@pytest.mark.parametrize("pair", [None, "nice app ok great awful broken"])
def test_transformers_cuts_a_long_text_where_training_did(
    copy_project: Paths, truncation: str, own: str | None, pair: str | None
) -> None:
    folder = copy_project.finetuned(1)
    (folder / "calibration.json").write_text(json.dumps({"max_length": 9, "truncation": truncation}))
    path = folder / "tokenizer_config.json"
    tokenize = Tokenize(max_length=9, truncation=truncation)  # type: ignore[arg-type]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"truncation_side": own} | cutting(tokenize)))
    peer = pipeline("text-classification", str(folder), truncation=True, top_k=None)
    expected = {entry["label"]: entry["score"] for entry in peer([{"text": WORDS, "text_pair": pair}])[0]}
    ours = Classifier.load(folder)([WORDS], pair and [pair])[0]
    assert ours.probabilities == pytest.approx(expected, abs=1e-5)
