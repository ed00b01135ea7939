"""Does config.json describe the tensors of model.safetensors? The model is built without memory for its weights."""

import contextlib
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from stages.errors import ModelError
from stages.foreign_weights import cause_of_missing, sign_of_another

POOLER = "pooler"
FLOATS = ("F64", "F32", "F16", "BF16")  # types of weights that are computed with as they are
MODULES_PER_TENSOR = 20  # of a model of transformers 2; where config.json asks for far more, building stops


@dataclass(frozen=True)
class Fit:
    """How a model's weights fit the encoder that config.json describes, which they have whole.

    Args:
        unused: Names of weights that are of no use to that encoder: of a head for the model's own task.
        of_language_model: Names of weights of the classifier's head that a language model has too: ModernBERT's is
            pretrained, all but its output layer.
        lacks_pooler: Whether the encoder's pooler is missing, as it is where the model's own task needs none.
        doubt: Why the weights may be of another architecture; None: nothing says so.
    """

    unused: list[str]
    of_language_model: list[str]
    lacks_pooler: bool
    doubt: str | None = None

    def facts(self) -> dict[str, Any]:
        """Return what stats.json says of it: all but the doubt, which is a message."""
        return {"unused": self.unused, "of_language_model": self.of_language_model, "lacks_pooler": self.lacks_pooler}

    def lines(self) -> list[str]:
        """Return what fine-tuning makes of it, in a line each."""
        lines = []
        if self.unused:
            lines.append(
                f"the head is newly initialised: {len(self.unused)} weights of the source's own task "
                f"({', '.join(self.unused[:3])}) and its labels are not used"
            )
        if self.lacks_pooler:
            lines.append("the source has no pooler: a new one is initialised, and trained as a part of the head")
        return lines


def check_fit_of_weights(folder: Path, config: dict[str, Any], *, weights: Sequence[Path], name: str) -> Fit:
    """Check that config.json describes a text classifier's encoder, and the weights are all of that encoder's.

    Weights of a head, and of a pooler, may be missing: fine-tuning starts them anew.

    Args:
        folder: The model's folder; its config.json names no code.
        config: The content of config.json.
        weights: Its safetensors files; only their headers are read.
        name: What messages call the folder.

    Raises:
        ModelError: config.json has a wrong value, or the weights are damaged or of another model.
    """
    shapes, no_floats = _headers(weights, name)
    import torch  # torch and transformers take seconds to import, and download@dataset has no use for them
    from transformers import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSIFIERS

    model_type = config.get("model_type")
    if model_type is None:
        raise ModelError(
            f"{name}: config.json has no model_type, so transformers can't build the model. Choose another model."
        )
    if not isinstance(model_type, str) or model_type not in CLASSIFIERS:
        raise ModelError(
            f"{name}: config.json has model_type: {str(model_type)[:100]!r}, and transformers has no text classifier "
            "of that type. Choose another model."
        )
    try:
        with _limited(MODULES_PER_TENSOR * len(shapes) + 1_000), _silent():
            options = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            model_class: Any = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(options)]
            model, report = model_class.from_pretrained(
                None,
                config=options,
                state_dict={key: torch.empty(shape, device="meta") for key, shape in shapes.items()},
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                device_map="meta",
            )
    except Exception as error:  # any class: transformers has no error of its own for a config that it can't use
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelError(
            f"{name}: transformers can't build a text classifier from config.json ({type(error).__name__}: {reason}). "
            "Fetch or save the model again."
        ) from error
    prefix = f"{model_class.base_model_prefix}."
    parts = {part for part, _ in (*model.base_model.named_children(), *model.base_model.named_parameters())}
    unexpected = {key for key in report["unexpected_keys"] if key not in no_floats and not _is_buffer(key, shapes)}
    _compare(report, unexpected, shapes, parts=parts, prefix=prefix, model_type=model_type, name=name)
    parameters = {key.removeprefix(prefix) for key, _ in model.named_parameters()}
    for key, kind in no_floats.items():  # a buffer, such as position_ids, may be of integers
        if key.removeprefix(prefix) in parameters:
            raise ModelError(
                f"{name}: {key} has the type {kind} in model.safetensors, expected one of {', '.join(FLOATS)}. "
                "Save the model again, not quantised."
            )
    missing = set(report["missing_keys"])
    present = {key for key, _ in model.named_parameters() if not key.startswith(prefix)} - missing
    tuned = f"{output_layer(model)}.weight" in present  # for another task
    return Fit(
        unused=sorted((present if tuned else set()) | unexpected),
        of_language_model=[] if tuned else sorted(present),
        lacks_pooler=any(key.startswith(f"{prefix}{POOLER}.") for key in missing),
        doubt=sign_of_another(model, weights),
    )


def output_layer(model: Any) -> str | None:
    """Return the name of a classifier's last linear layer outside its encoder; None: there is none."""
    import torch

    modules = (name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear))
    outside = [name for name in modules if not name.startswith(f"{model.base_model_prefix}.")]
    return outside[-1] if outside else None


def _headers(weights: Sequence[Path], name: str) -> tuple[dict[str, list[int]], dict[str, str]]:
    """Return the shape of each tensor, and the types of those that are not FLOATS, from the headers of the files."""
    shapes: dict[str, list[int]] = {}
    no_floats: dict[str, str] = {}
    for path in weights:
        try:
            with safe_open(path, framework="numpy") as file:
                tensors = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118  # not a mapping
                shapes |= {key: tensor.get_shape() for key, tensor in tensors.items()}
                types = {key: tensor.get_dtype() for key, tensor in tensors.items()}
                no_floats |= {key: kind for key, kind in types.items() if kind not in FLOATS}
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{name}: {path.name} is damaged: {error}. Fetch or save the model again.") from error
    if not shapes:
        raise ModelError(f"{name}: model.safetensors is missing or holds no tensors. Fetch or save the model again.")
    return shapes, no_floats


@contextlib.contextmanager
def _limited(modules: int) -> Iterator[None]:
    """Stop the building of a model that has more modules than this."""
    from torch.nn.modules.module import register_module_module_registration_hook

    count = 0

    def stop(*_: object) -> None:
        nonlocal count
        count += 1
        if count > modules:
            raise ValueError(f"it asks for more than {modules:,} modules, but the weights are of far fewer")

    handle = register_module_module_registration_hook(stop)
    try:
        yield
    finally:
        handle.remove()


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep transformers from reporting weights that are missing: `_compare` does."""
    from transformers.utils import logging as transformers_logging

    before, bar = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.CRITICAL)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)
        if bar:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _is_buffer(key: str, shapes: dict[str, list[int]]) -> bool:
    """Tell whether a tensor that no weight has the name of is a constant: older versions saved masks and positions."""
    shape = shapes.get(key)  # None: transformers has changed the name
    constant = shape is not None and (math.prod(shape) == 1 or shape[:2] == [1, 1])
    return constant or key.endswith("inv_freq")


def _compare(
    report: dict[str, Any],
    unexpected: set[str],
    stored: Iterable[str],
    *,
    parts: set[str],
    prefix: str,
    model_type: str,
    name: str,
) -> None:
    """Refuse weights of the encoder that have another shape, are missing, or are more than it has.

    Args:
        report: What transformers says of the loading.
        unexpected: Names of weights that the classifier doesn't have.
        stored: Names of all weights.
        parts: Names of the encoder's own modules and parameters. More weights of these are refused; other parts, such
            as the decoder of a whole Funnel, are not needed for a classifier.
        prefix: Of the encoder's weights in a classifier.
        model_type: Of config.json.
        name: What messages call the folder.
    """
    for key, stored, expected in sorted(report["mismatched_keys"]):
        if key.startswith(prefix):
            raise ModelError(
                f"{name}: {key} has the shape {list(stored)} in model.safetensors, but {list(expected)} by "
                "config.json. The two files belong to different models. Fetch or save the model again."
            )
    missing = sorted(key for key in report["missing_keys"] if key.startswith(prefix) and POOLER not in key.split("."))
    if missing:
        raise ModelError(
            f"{name}: model.safetensors lacks {len(missing)} weights of the encoder that config.json describes "
            f"({', '.join(missing[:3])}). {cause_of_missing(missing, stored, prefix=prefix, model_type=model_type)}"
        )
    surplus = sorted(key for key in unexpected if key.removeprefix(prefix).partition(".")[0] in parts - {POOLER})
    if surplus:
        raise ModelError(
            f"{name}: model.safetensors has {len(surplus)} weights that the encoder of config.json doesn't have "
            f"({', '.join(surplus[:3])}). The two files belong to different models: take both from the same one."
        )
