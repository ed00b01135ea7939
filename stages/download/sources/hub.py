"""Data sets and models of the Hugging Face Hub, through its own clients.

The clients find a token by themselves (HF_TOKEN or `hf auth login`), so no code here handles one.
"""

import importlib
import importlib.util
import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stages.errors import DataError, ModelError, RetuneError
from stages.model_files import other_safetensors
from stages.proxies import unusable_proxies

logger = logging.getLogger(__name__)

HUB = "hf://"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
SHARDS = "model-*-of-*.safetensors"  # as save_pretrained names them
DATASET = re.compile(
    r"hf://datasets/(?P<repo>[\w.-]+/[\w.-]+)(?:/(?P<config>[^@]+))?(?:@(?P<revision>[^@]+))?", re.ASCII
)
MODEL = re.compile(r"hf://(?!datasets/)(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^@]+))?", re.ASCII)


class HubDataset(NamedTuple):
    """A data set of the Hub on disk."""

    splits: Mapping[str, Any]  # the Hub's name of a split -> datasets.Dataset
    revision: str  # the commit


def is_hub(source: str) -> bool:
    """Return whether `source` is on the Hub."""
    return source.startswith(HUB)


def load_hub_dataset(source: str) -> HubDataset:
    """Load a data set from the Hub, or from the Hub's cache on this machine.

    Args:
        source: hf://datasets/ORG/NAME[/CONFIG][@REVISION].

    Raises:
        DataError: The data set, configuration or revision does not exist, or the Hub can't be reached.
    """
    named = DATASET.fullmatch(source)
    if not named:
        raise DataError(f"{source} is not the address of a data set. Write hf://datasets/ORG/NAME[/CONFIG]@REVISION.")
    from datasets import disable_progress_bars, load_dataset  # seconds to import
    from datasets.exceptions import DatasetsError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    repo, config, revision = named["repo"], named["config"], named["revision"]
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        commit = HfApi().dataset_info(repo, revision=revision).sha
        splits = load_dataset(repo, config, revision=commit)
    except (DatasetsError, HfHubHTTPError, OSError, ValueError, RuntimeError, ImportError, *_bad_addresses()) as error:
        raise _unreachable(DataError, source, error, "download.dataset.files") from error
    _hint(source, revision, commit)
    return HubDataset(splits, str(commit))


def fetch_hub_model(source: str, *, files: Sequence[str]) -> tuple[Path, str]:
    """Fetch some files of a model from the Hub, or from the Hub's cache on this machine; no other file is fetched.

    Args:
        source: hf://ORG/NAME[@REVISION].
        files: Names of files beside the weights; those that the model does not have are skipped.

    Returns:
        The folder of the files, and the commit.

    Raises:
        ModelError: The model or revision does not exist, has no safetensors, or the Hub can't be reached.
    """
    named = MODEL.fullmatch(source)
    if not named:
        raise ModelError(
            f"download.model.source: {source} is not the address of a model. Write hf://ORG/NAME@REVISION."
        )
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    repo, revision = named["repo"], named["revision"]
    failures: tuple[type[Exception], ...] = (HfHubHTTPError, OSError, ValueError, ImportError, *_bad_addresses())
    try:
        info = HfApi().model_info(repo, revision=revision)
        present = [file.rfilename for file in info.siblings or []]
        if WEIGHTS not in present and INDEX not in present:
            raise _no_safetensors(source, present)
        weights = [WEIGHTS] if WEIGHTS in present else [INDEX, SHARDS]
        folder = snapshot_download(repo, revision=info.sha, allow_patterns=[*files, *weights])
    except failures as error:
        raise _unreachable(ModelError, source, error, "download.model.source") from error
    _hint(source, revision, info.sha)
    return Path(folder), str(info.sha)


def _no_safetensors(source: str, present: list[str]) -> ModelError:
    if (other := other_safetensors(name for name in present if "/" not in name)) is not None:
        return ModelError(
            f"{source} has no model.safetensors, but {other}. Download the model, rename that file "
            "model.safetensors, and set download.model.source to its folder."
        )
    pickled = next((name for name in present if name.endswith((".bin", ".pt", ".ckpt", ".h5", ".msgpack"))), None)
    others = f"only {pickled}, and loading a pickle can run any code" if pickled else "and no other weights"
    return ModelError(
        f"{source} has no model.safetensors, {others}. Look for a revision that has it (often @refs/pr/N, which the "
        "Hub's converter opens). Or, if you trust the model, load it and save it with save_pretrained()."
    )


def _bad_addresses() -> tuple[type[Exception], ...]:
    """What the Hub's client raises at a proxy that is no address; which package it is depends on huggingface_hub."""
    packages = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]
    return tuple(importlib.import_module(name).InvalidURL for name in packages)


def _unreachable(kind: type[RetuneError], source: str, error: Exception, key: str) -> RetuneError:
    reason = " ".join(str(error.__cause__ or error).split())[:300]  # the cause says more
    name = type(error).__name__
    if not isinstance(error, OSError) and (proxies := unusable_proxies(os.environ, socks="socksio")):
        variable, why = next(iter(proxies.items()))
        return kind(f"{source} could not be fetched: {variable} {why}. Correct it, or unset it.")
    if isinstance(error, ImportError):
        raise error
    if name in ("RepositoryNotFoundError", "DatasetNotFoundError"):
        return kind(f"{source}: not found on the Hub, or you lack access. Correct {key}, or set HF_TOKEN.")
    if name == "GatedRepoError":
        return kind(f"{source} is gated. Request access on its page, then set HF_TOKEN.")
    if name == "RevisionNotFoundError":
        return kind(f"{source}: this revision does not exist. Correct the part after @ in {key}.")
    return kind(f"{source} could not be fetched ({name}): {reason}. Correct {key}, or try again later.")


def _hint(source: str, revision: str | None, commit: str | None) -> None:
    if revision != commit:
        logger.info("%s is not pinned to a commit. Pin it: %s@%s", source, source.partition("@")[0], commit)
