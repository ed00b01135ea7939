"""What a plan may look at: one protocol, so that the plan itself stays pure."""

from typing import Any, Final, Literal, Protocol

from pipeline.repository.graph import Entry, Item, Listing, Params, Stage

Where = Literal["cache", "remote"]
MISSING: Final = object()  # no value at all, which is not the same as null


class World(Protocol):
    """Everything that a plan may look at; `graph.Project` is the real one."""

    def locked(self, stage: str) -> Entry | None:
        """What dvc.lock says about the stage."""

    def present(self, path: str) -> Item | None:
        """What lies at `path` now."""

    def files(self, folder: str) -> Listing:
        """The files in `folder` now, by path relative to it."""

    def param(self, file: str, key: str) -> Any:
        """The value of a parameter, or MISSING; an empty key stands for the whole file."""

    def listing(self, item: Item, path: str) -> Listing | None:
        """The files of the folder that was once at `path`, by path relative to it; None if nobody knows them."""

    def cached(self, outs: Listing) -> bool:
        """Does the local cache have all of it?"""

    def recorded(self, stage: Stage, entry: Entry | None, deps: Listing, params: Params) -> tuple[Entry, Where] | None:
        """The result that can be had without running, and from where.

        Args:
            stage: The stage.
            entry: What dvc.lock says, where all inputs are those of dvc.lock; else None.
            deps: What lies, or will lie, at each dependency.
            params: The values now.
        """

    def seconds(self, stage: Stage) -> float | None:
        """How long the stage took before."""
