"""One line of `retune doctor`: what was looked at, how it is, and the command that fixes it."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from stages.errors import RetuneError, explain
from stages.redaction import redact

State = Literal["ok", "note", "fail"]  # note: works, but a person should know


@dataclass(frozen=True)
class Finding:
    """How one part of the setup is.

    Args:
        check: What was looked at.
        state: `fail` where a command of retune would fail.
        detail: What was found.
        fix: The command, or the words, that change it; None where `detail` says it, or nothing has to change.
    """

    check: str
    state: State
    detail: str
    fix: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The entry in `retune doctor --json`."""
        return asdict(self)


Check = Callable[..., Iterator[Finding]]


def examine(name: str, check: Check, *arguments: Any) -> list[Finding]:
    """The findings of a check, without secrets; what keeps it from looking is a finding too.

    Args:
        name: What that finding says was looked at.
        check: The check.
        arguments: Its arguments.
    """
    findings: list[Finding] = []
    try:
        findings.extend(check(*arguments))
    except (RetuneError, OSError) as error:
        findings.append(Finding(name, "fail", explain(error) or str(error)))
    except ImportError as error:  # a package that retune needs is missing or broken
        findings.append(Finding(name, "fail", f"can't be checked: {error}"))
    return [Finding(f.check, f.state, redact(f.detail), f.fix and redact(f.fix)) for f in findings]
