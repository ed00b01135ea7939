"""Python, the installed packages, what PyTorch can compute on, and free disk space."""

import importlib.metadata
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from pipeline.diagnosis.finding import Finding, State
from pipeline.diagnosis.probe import ask
from stages.errors import PipelineError

NEWEST_PYTHON = (3, 14)  # that the tests run on
INSTALL = "python -m pip install --constraint constraints.txt --editable ."
LEAST_FREE, LITTLE_FREE = 1, 5  # GB; a fine-tuned encoder of 110 M parameters takes 0.4 GB, four times
MOST_NAMED = 5  # packages in one line
HARDWARE_SECONDS = 120.0  # importing torch from a cold disk


def check_python() -> Iterator[Finding]:
    """Look at this Python, and at the one that plain `dvc repro` would start."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.platform == "win32":
        yield Finding("system", "fail", "Windows is not supported", "Use WSL: wsl --install")
    if sys.version_info[:2] > NEWEST_PYTHON:
        yield Finding("Python", "note", f"{version} is newer than the versions that retune is tested with")
    else:
        yield Finding("Python", "ok", f"{version} in {sys.prefix}")
    first = shutil.which("python")
    if first is None or Path(first).parent.resolve() != Path(sys.executable).parent.resolve():
        found = f"`python` on the PATH is {first}" if first else "there is no `python` on the PATH"
        activate = Path(sys.prefix) / "bin/activate"
        fix = f"source {activate}" if activate.is_file() else f'export PATH="{Path(sys.executable).parent}:$PATH"'
        yield Finding("PATH", "note", f"{found}: plain `dvc repro` would not use this environment", fix)


def check_packages(constraints: str | None) -> Iterator[Finding]:
    """Compare what is installed with the pins.

    Args:
        constraints: The text of constraints.txt; None: the project has none.
    """
    installed: dict[str, str] = {
        canonicalize_name(found.name): found.version for found in importlib.metadata.distributions() if found.name
    }
    missing = missing_packages(importlib.metadata.requires("retune") or (), installed)
    if missing:
        yield Finding("packages", "fail", f"not installed: {_some(missing)}", INSTALL)
    if constraints is None:
        yield Finding("pins", "note", "the project has no constraints.txt: results can differ between machines")
        return
    pins, unreadable = read_pins(constraints)
    if unreadable:
        yield Finding(
            "pins", "fail", f"constraints.txt has lines that can't be read as NAME==VERSION: {_some(unreadable)}"
        )
    wrong = [
        f"{pin.name} {installed[name]} (pinned {pin.specifier})"
        for pin in pins
        if (name := canonicalize_name(pin.name)) in installed and not pin.specifier.contains(installed[name])
    ]
    if wrong:
        yield Finding("pins", "note", f"versions differ from constraints.txt: {_some(wrong)}", INSTALL)
    elif not missing and not unreadable:
        count = sum(canonicalize_name(pin.name) in installed for pin in pins)
        yield Finding("packages", "ok", f"{count} match constraints.txt")


def read_constraints(root: Path) -> str | None:
    """Return the text of constraints.txt; None: the project has none.

    Raises:
        PipelineError: It is not UTF-8.
    """
    try:
        return (root / "constraints.txt").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise PipelineError("constraints.txt is not UTF-8. Restore it: git checkout HEAD -- constraints.txt") from error


def read_pins(constraints: str) -> tuple[list[Requirement], list[str]]:
    """Return the pins that hold on this machine, and the lines that are none."""
    pins: list[Requirement] = []
    unreadable: list[str] = []
    for line in constraints.splitlines():
        text = line.partition("#")[0].strip()
        try:
            if text and ((pin := Requirement(text)).marker is None or pin.marker.evaluate()):
                pins.append(pin)
        except InvalidRequirement:
            unreadable.append(text)
    return pins, unreadable


def missing_packages(requirements: Iterable[str], installed: Mapping[str, str]) -> list[str]:
    """Return the requirements, without those of extras, that no installed package meets."""
    needed = [Requirement(line) for line in requirements]
    needed = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return [
        f"{one.name}{one.specifier}"
        for one in needed
        if (version := installed.get(canonicalize_name(one.name))) is None
        or not one.specifier.contains(version, prereleases=True)
    ]


def check_hardware(root: Path) -> Iterator[Finding]:
    """Ask PyTorch for GPUs, and for the CPU's units for bf16."""
    found = ask(root, "stages.hardware", seconds=HARDWARE_SECONDS)
    if found["gpus"]:
        names = ", ".join(f"{gpu['name']} ({gpu['memory_gib']} GiB)" for gpu in found["gpus"])
        slow = "" if found["gpu_bf16"] else "; it does not compute in bf16, so training uses fp16"
        yield Finding("GPU", "ok", f"{names}{slow}")
    elif found["mps"]:
        yield Finding("GPU", "ok", "Apple's, through MPS")
    elif shutil.which("nvidia-smi"):
        build = f"is built for CUDA {found['cuda_build']}" if found["cuda_build"] else "is built for CPUs only"
        yield Finding(
            "GPU",
            "note",
            f"this machine has nvidia-smi, but torch {found['torch']}, which {build}, sees no GPU",
            "nvidia-smi; then install the torch build for your driver: https://pytorch.org/get-started/locally",
        )
    else:
        yield Finding("GPU", "ok", "none: stages run on the CPU")
    if not found["gpus"] and not found["mps"]:
        threads = f"{found['threads']} of {found['cores']} cores"
        units = f"{found['cpu_bf16'] or 'no units for bf16'}: finetune.precision auto"
        yield Finding("CPU", "ok", f"{threads}; {units} trains in {'bf16' if found['cpu_bf16'] else 'float32'}")


def check_disk(folders: Iterable[Path]) -> Iterator[Finding]:
    """Look at the free space of these folders, each disk once."""
    folders = [*folders, Path(tempfile.gettempdir())]  # where revisions to be compared are unpacked
    disks: dict[int, Path] = {}
    for folder in folders:
        there = next(
            parent for parent in (folder, *folder.parents) if parent.exists()
        )  # the cache, before the first run
        disks.setdefault(there.stat().st_dev, there)
    for folder in disks.values():
        free = shutil.disk_usage(folder).free / 1e9
        state: State = "fail" if free < LEAST_FREE else "note" if free < LITTLE_FREE else "ok"
        fix = "dvc gc --workspace --all-commits   # removes results that no commit has" if state != "ok" else None
        yield Finding("disk", state, f"{free:.1f} GB free at {folder}", fix)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
