"""The units and commands of docs/workers.md, read from the page itself."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/workers.md").read_text(encoding="utf-8")
SERVER = "prefect-server.service"


def units() -> dict[str, str]:
    """The text of each systemd unit, by the name of its file."""
    found = re.findall(
        r"`/etc/systemd/system/([\w@.-]+)`[^\n]*\n(?:[^\n]+\n)*\n```ini\n(.*?)```", PAGE, flags=re.DOTALL
    )
    return dict(found)


def values(unit: str, key: str) -> list[str]:
    """What a unit sets a key to, each time that it is set."""
    return re.findall(rf"^{key}=(.*)$", units()[unit], flags=re.MULTILINE)


def server_environment(address: str) -> dict[str, str]:
    """The environment of the server's unit, where `SERVER:4200` is this address."""
    pairs = (line.partition("=") for line in values(SERVER, "Environment"))
    return {name: value.replace("SERVER:4200", address) for name, _, value in pairs}


def server_arguments(port: int) -> list[str]:
    """The arguments of `prefect` in the server's unit, on another port."""
    return [argument.replace("4200", str(port)) for argument in shlex.split(values(SERVER, "ExecStart")[0])[1:]]
