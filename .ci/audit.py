"""Reads pip-audit's JSON from standard input and says what it found; exit code 1: a pin has a known vulnerability."""

import json
import sys
from typing import Any


def verdict(text: str) -> tuple[list[str], int]:
    """The lines to print, and the exit code.

    Args:
        text: What `pip-audit --format json` wrote; nothing where it could not ask the advisory service.
    """
    try:
        packages: list[dict[str, Any]] = json.loads(text)["dependencies"]
    except (ValueError, KeyError):
        packages = []
    asked = [package for package in packages if "skip_reason" not in package]
    if not asked:
        return ["audit: the advisory service can't be reached, or knows no package: nothing was checked."], 0
    lines = [
        f"audit: {package['name']} {package['version']} has {fault['id']}; fixed in "
        f"{', '.join(fault['fix_versions']) or 'no version yet'}. Move its pin in constraints.txt."
        for package in asked
        for fault in package["vulns"]
    ]
    if lines:
        return lines, 1
    unknown = f"; the advisory service does not know {len(packages) - len(asked)}" if len(asked) < len(packages) else ""
    return [f"audit: {len(asked)} of {len(packages)} pinned packages checked, no known vulnerability{unknown}."], 0


if __name__ == "__main__":
    said, code = verdict(sys.stdin.read())
    sys.stdout.write("\n".join(said) + "\n")
    raise SystemExit(code)
