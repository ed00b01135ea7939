"""Find a pretrained encoder, refuse an unsafe one, and copy its config, tokenizer and safetensors."""

import hashlib
import importlib.util
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from stages.architectures import untried
from stages.download.model_card import CARD, read_card
from stages.download.sentence_transformers import MODULES, home_of, transformer_folder, unused_modules
from stages.download.sources.hub import fetch_hub_model, is_hub
from stages.download.tokenizer_files import complete_tokenizer
from stages.errors import ModelError
from stages.files import sha256 as sha256_of
from stages.files import write_json
from stages.messages import examples, plain, short
from stages.model_config import read_object
from stages.model_files import TOKENIZER_FILES, is_present, other_safetensors
from stages.model_folder import CONFIG, INDEX, POOLING, WEIGHTS, check_model_folder, weight_files
from stages.special_files import leads_outside

logger = logging.getLogger(__name__)

PACKAGE = "package:"
PICKLED = frozenset((".bin", ".pt", ".ckpt", ".h5"))
MOST_FILES = 100_000  # a folder that is looked through for a model: `/` or a home would take minutes


def locate_encoder(source: str, *, root: Path) -> tuple[Path, str | None]:
    """Return the folder of config.json and safetensors that `source` names, and its commit on the Hub.

    Args:
        source: `hf://ORG/NAME@REVISION`; `package:MODULE`, an installed package that has the weights (it is not
            imported); or a folder. Subfolders of packages and folders are searched too.
        root: Folder that relative paths start from.

    Raises:
        ModelError: The model, package or folder does not exist, or does not hold exactly one model.
    """
    if is_hub(source):
        return fetch_hub_model(source, files=(CONFIG, *TOKENIZER_FILES, POOLING, MODULES, CARD))
    folder = _package_folder(source) if source.startswith(PACKAGE) else root / source
    try:
        is_folder = folder.is_dir()
    except OSError as error:  # a name that is too long
        raise ModelError(
            f"download.model.source: {plain(source)} can't be read: {error.strerror}. Give a model folder."
        ) from error
    if not is_folder:
        raise ModelError(
            f"download.model.source: {plain(source)} is not a folder. Give a folder, hf://ORG/NAME or package:MODULE."
        )
    files = _files_below(folder, source)
    models = sorted(
        {path.parent for path in files if path.name in (WEIGHTS, INDEX) and path.with_name(CONFIG) in files}
    )
    if folder in models:
        return folder, None
    if not models:
        raise _no_weights(source, files)
    transformer = transformer_folder(folder, source)
    if transformer is not None and transformer in models:
        return transformer, None
    if len(models) > 1:
        names = ", ".join(path.relative_to(folder).as_posix() for path in models)
        raise ModelError(f"download.model.source: {source} holds several models ({names}). Give the folder of one.")
    return models[0], None


def copy_encoder(folder: Path, target: Path, *, source: str, sha256: str | None, revision: str | None) -> None:
    """Check the encoder, copy it into the empty folder `target`, and write source.json.

    Args:
        folder: What `locate_encoder` returned.
        target: An empty folder.
        source: What messages and source.json call it.
        sha256: Checksum that the weights must have, see `_checksum`; None: any.
        revision: Its commit on the Hub; None: it is not from the Hub.

    Raises:
        ModelError: The weights have another checksum, or `check_model_folder` refuses the folder.
    """
    fit = check_model_folder(folder, name=source)
    weights = [Path(shutil.copyfile(file, target / file.name)) for file in weight_files(folder, source)]
    if weights[0].name != WEIGHTS:
        shutil.copyfile(folder / INDEX, target / INDEX)
    actual = _checksum(weights)
    if sha256 not in (None, actual):
        named = WEIGHTS if len(weights) == 1 else f"the list of its {len(weights)} safetensors"
        raise ModelError(
            f"{source}: {named} has SHA-256 {actual}, but download.model.sha256 pins {sha256}. "
            "These are different weights, or they have changed. Fetch them again, or pin the new checksum."
        )
    if (warning := untried(read_object(folder / CONFIG, source).get("model_type"))) is not None:
        logger.warning("%s: %s", source, warning)
    if fit.doubt is not None:
        logger.warning("%s: %s.", source, fit.doubt)
    for line in fit.lines():
        logger.info("%s: %s", source, line)
    for name in (CONFIG, *TOKENIZER_FILES):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)  # unchanged: equal files let other weights reuse the tokens
    home = home_of(folder, source)
    if is_present(home / POOLING, source) and not leads_outside(home / POOLING, home):
        (target / POOLING).parent.mkdir()
        shutil.copyfile(home / POOLING, target / POOLING)
    if modules := unused_modules(home, source):
        logger.warning(
            "%s: the modules of sentence-transformers after the encoder (%s) are not used: the head reads the "
            "encoder's own vectors.",
            source,
            examples(modules),
        )
    complete_tokenizer(target, source)
    if sha256 is None:
        logger.info("%s has no checksum in params.yaml. Pin its weights with sha256: %s", source, actual)
    described = {"source": source, "revision": revision, "sha256": actual, **read_card(folder)}
    write_json(target / "source.json", described)


def _checksum(weights: Sequence[Path]) -> str:
    """Return the SHA-256 of the weights' file; of several files, that of what `sha256sum` prints for them, by name."""
    if len(weights) == 1:
        return sha256_of(weights[0])
    lines = "".join(f"{sha256_of(path)}  {path.name}\n" for path in sorted(weights))
    return hashlib.sha256(lines.encode()).hexdigest()


def _package_folder(source: str) -> Path:
    module = source.removeprefix(PACKAGE)
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError) as error:
        raise ModelError(
            f"download.model.source: {plain(source)} is not a package: {plain(str(error))}. Write package:MODULE."
        ) from error
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            f"download.model.source: the package {short(module)} is not installed. Install it, or give a folder."
        )
    return Path(spec.submodule_search_locations[0])


def _files_below(folder: Path, source: str) -> set[Path]:
    """The files of the folder and of those in it; what vanishes or may not be listed meanwhile is left out."""
    files: set[Path] = set()
    for parent, _, names in os.walk(folder):
        files.update(Path(parent, name) for name in names)
        if len(files) > MOST_FILES:
            raise ModelError(
                f"download.model.source: {plain(source)} holds more than {MOST_FILES:,} files. "
                "Give the folder of one model."
            )
    return files


def _no_weights(source: str, files: set[Path]) -> ModelError:
    for config in sorted(path for path in files if path.name == CONFIG):
        other = other_safetensors(path.name for path in files if path.parent == config.parent)
        if other is not None:
            return ModelError(
                f"download.model.source: {source} has no model.safetensors, but {other}. Rename it model.safetensors."
            )
    pickled = sorted(path.name for path in files if path.suffix in PICKLED)
    if pickled:
        return ModelError(
            f"download.model.source: {source} has no model.safetensors, only {pickled[0]}, and loading a pickle "
            "can run any code. If you trust the model, load it with transformers and save it with save_pretrained()."
        )
    return ModelError(
        f"download.model.source: {source} has no folder with config.json and model.safetensors. Give a model folder."
    )
