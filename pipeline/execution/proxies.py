"""Requests to this machine itself never go through a proxy, and a proxy that httpx can't use stops no command."""

import os

from stages.proxies import unusable_proxies

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_set_aside: dict[str, str] = {}


def bypass_proxies() -> None:
    """Let this process and those that it starts reach this machine where HTTP_PROXY and the like are set.

    Prefect's client, httpx, ends at once where it can't use a proxy, whatever NO_PROXY says: ALL_PROXY=socks://HOST, as
    desktops set it. Such variables are set aside for the stages, whose libraries may be able to.
    """
    for name in unusable_proxies(os.environ, socks="socksio"):
        _set_aside[name] = os.environ.pop(name)
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in map(str.strip, os.environ.get(name, "").split(",")) if host]
        if "*" not in hosts:  # no proxy for any host, which holds only as long as nothing else is named
            os.environ[name] = ",".join(dict.fromkeys([*hosts, *LOOPBACK]))


def own_proxies() -> dict[str, str]:
    """Return the variables that `bypass_proxies` has set aside, for the environment of a stage."""
    return dict(_set_aside)
