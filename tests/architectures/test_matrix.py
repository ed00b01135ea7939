"""Every architecture with every method answers as plain transformers does, or is refused before training."""

from collections.abc import Callable
from pathlib import Path

import torch
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSIFIERS

from stages.architectures import TRIED
from tests.architectures.conftest import WHOLE
from tests.architectures.matrix import COLUMNS, try_architecture
from tests.architectures.models import ARCHITECTURES, LEFT_OUT
from tests.architectures.table import MARKS, read

torch.set_num_threads(1)  # these models are so small that threads only wait for one another


def test_an_architecture_answers_as_plain_transformers_does(
    architecture: str, columns: tuple[str, ...], note: Callable[..., None], tmp_path: Path
) -> None:
    cells = try_architecture(architecture, tmp_path, columns)
    note(architecture, cells)
    assert {column: cell.why for column, cell in cells.items() if cell.result == "wrong"} == {}
    if not WHOLE:  # otherwise the page is made of these cells
        page = read()[architecture]
        assert {column: MARKS[cell.result] for column, cell in cells.items()} == {key: page[key] for key in columns}


def test_the_page_has_a_row_for_every_architecture_and_download_warns_of_the_others() -> None:
    page = read()
    assert list(page) == sorted(ARCHITECTURES)
    assert all(tuple(row) == COLUMNS for row in page.values())
    assert set(ARCHITECTURES) == TRIED


def test_every_text_classifier_of_transformers_is_tried_or_left_out_with_a_reason() -> None:
    assert set(CLASSIFIERS) == set(ARCHITECTURES) | set(LEFT_OUT)
    assert not set(ARCHITECTURES) & set(LEFT_OUT)
