"""Which outputs the workspace lacks, or has otherwise than its dvc.lock records them, and how to get the recorded ones.

After `git checkout` without `dvc checkout`, and in a fresh clone, the files that git keeps are of one commit and the
outputs of another, or of none.
"""

from collections.abc import Collection, Iterable, Mapping

from pipeline.repository.digests import Digest, Digests
from pipeline.repository.project import Project
from pipeline.repository.snapshot import Where
from pipeline.repository.storage.store import Store

COMMANDS: Mapping[Where, str] = {"cache": "dvc checkout", "remote": "dvc pull"}


def not_as_recorded(project: Project, outs: Collection[str]) -> dict[str, Digest]:
    """Those of these outputs that the workspace has not as dvc.lock records them, with the digests recorded there."""
    entries = [entry for stage in project.graph.stages if (entry := project.locked(stage.name))]
    recorded = {out: digest for entry in entries for out, digest in entry.outs.items() if out in outs}
    return {out: recorded[out] for out in outs if out in recorded and not _is(project.digest(out), recorded[out])}


def how_to_check_out(store: Store, outs: Digests) -> str:
    """The sentence that says how to get these outputs into the workspace."""
    them = "it" if len(outs) == 1 else "them"
    where = store.where(outs)
    if where:
        return f"To have {them} in the workspace: {COMMANDS[where]}"
    if store.is_unreachable:
        return f"DVC's cache lacks {them}, and the remote can't be reached. Find out why: dvc pull"
    return f"Neither DVC's cache nor a remote has {them}. Write {them} again: retune run"


def describe(project: Project, outs: Digests) -> str:
    """The note about outputs that are `not_as_recorded`; empty if there are none."""
    if not outs:
        return ""
    absent = all(project.digest(out) is None for out in outs)
    state = "not in the workspace" if absent else "not what dvc.lock records"
    are = "is" if len(outs) == 1 else "are"
    return f"{_enumerate(outs)} {are} {state}. {how_to_check_out(project.store, outs)}"


def _is(now: Digest | None, before: Digest) -> bool:
    return now is not None and now.md5 == before.md5


def _enumerate(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
