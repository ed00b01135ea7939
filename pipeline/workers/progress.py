"""A coordinator's progress: the plan, and what has happened to each stage so far."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.exceptions import ObjectNotFound

from pipeline.planning.plan import StagePlan
from pipeline.repository.graph import Graph
from pipeline.workers.attempts import Attempts
from pipeline.workers.prefect_api import UNREACHABLE, RejectedError, log_unreachable, state_words, telling_answers
from stages.redaction import redact

KEY = "plan"  # of the artifact
DESCRIPTION = "The plan, and what has happened to each stage so far"
ENDED = ("up to date", "restored", "done", "failed", "not reached")  # values of `now` that hardly change any more
Row = dict[str, str | int | float | None]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """What a coordinator knows at one moment.

    Attributes:
        graph: The stages.
        first_plan: The plan before any stage ran.
        plans: The newest plan, by stage.
        attempts: The attempts at each stage that was submitted.
        active: The stages that were submitted and have not ended -> the name of Prefect's state of their run.
        over: Nothing more is submitted.
    """

    graph: Graph
    first_plan: Sequence[StagePlan]
    plans: Mapping[str, StagePlan]
    attempts: Mapping[str, Attempts]
    active: Mapping[str, str]
    over: bool = False

    def rows(self) -> list[Row]:
        """A row per stage, in the order of the plan."""
        return [self._row(plan) for plan in self.first_plan]

    def _row(self, planned: StagePlan) -> Row:
        attempts = self.attempts.get(planned.stage)
        ended = attempts if attempts and planned.stage not in self.active else None
        return {
            "stage": planned.stage,
            "now": self._now(planned),
            "planned": planned.state,
            "why": "; ".join(planned.as_json()["reasons"]),
            "after": ", ".join(_nearest(self.graph, planned.stage)),
            "seconds": round(ended.seconds, 1) if ended else None,
            "failed attempts": attempts.unsuccessful if attempts else 0,
            "last failure": redact(attempts.cause) if attempts and attempts.cause else None,
        }

    def _now(self, planned: StagePlan) -> str:
        name, plan = planned.stage, self.plans[planned.stage]
        if name in self.active:
            return state_words(self.active[name])
        if (attempts := self.attempts.get(name)) and attempts.exhausted:
            return "failed"
        if plan.state in ("fresh", "restored"):
            return "done" if attempts else "up to date" if plan.state == "fresh" else "restored"
        return "not reached" if self.over else "waiting"


class ProgressArtifact:
    """The table artifact `plan` of a coordinator's flow run, rewritten in place whenever a row changes.

    Where Prefect's API is unreachable or refuses it, nothing is written, and the coordinator goes on.
    """

    def __init__(self, client: SyncPrefectClient, run_id: UUID) -> None:
        self._client = client
        self._run_id = run_id
        self._artifact_id: UUID | None = None
        self._written = ""

    def write(self, progress: Progress) -> None:
        """Show this progress, unless it is shown already."""
        data = json.dumps(progress.rows())
        if data == self._written:
            return
        try:
            with telling_answers():
                self._write(data)
        except ObjectNotFound:  # somebody deleted it: the next call creates it again
            self._artifact_id = None
            return
        except UNREACHABLE as error:
            log_unreachable(log, error)
            return
        except RejectedError as error:
            log.warning("The artifact %s is not written: %s", KEY, error)
        self._written = data

    def _write(self, data: str) -> None:
        if self._artifact_id is None:
            fields = {"key": KEY, "type": "table", "description": DESCRIPTION, "flow_run_id": self._run_id}
            created = self._client.create_artifact(ArtifactCreate.model_validate({**fields, "data": data}))
            self._artifact_id = created.id
        else:
            self._client.update_artifact(self._artifact_id, ArtifactUpdate(data=data))


def _nearest(graph: Graph, stage: str) -> list[str]:
    """The parents of a stage, without those that another parent comes after."""
    parents = graph.parents[stage]
    implied = {above for parent in parents for above in graph.ancestors([parent]) - {parent}}
    return [parent for parent in parents if parent not in implied]
