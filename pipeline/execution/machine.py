"""What this machine is called in Prefect's API, so that whoever watches a run sees where it is."""

import platform
from pathlib import Path

HOST_LABEL = "retune.host"  # of a flow run


def host_name() -> str:
    """The name of this machine."""
    return platform.node() or "unknown"


def workspace_name(root: Path) -> str:
    """This machine and a project's folder on it, as `HOST:FOLDER`."""
    return f"{host_name()}:{root}"
