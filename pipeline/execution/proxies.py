"""Proxies that Prefect's client can't use: this process forgets them, and the stages that it starts get them."""

import os

from stages.proxies import unusable_proxies

_set_aside: dict[str, str] = {}


def set_aside_proxies() -> None:
    """Remove from this process's environment the variables of proxies that httpx can't use.

    Prefect's client, httpx, ends at once where it can't use one, whatever NO_PROXY says: ALL_PROXY=socks://HOST, as
    desktops set it. The libraries of the stages may be able to.
    """
    for name in unusable_proxies(os.environ, socks="socksio"):
        _set_aside[name] = os.environ.pop(name)


def own_proxies() -> dict[str, str]:
    """Return the variables that were set aside, for the environment of a stage."""
    return dict(_set_aside)
