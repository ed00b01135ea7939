"""Requests to this machine itself never go through a proxy, and a proxy that Prefect can't use stops no command."""

import os

from pipeline.execution.proxies import set_aside_proxies

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def bypass_proxies() -> None:
    """Let this process and those that it starts reach this machine where HTTP_PROXY and the like are set."""
    set_aside_proxies()
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in map(str.strip, os.environ.get(name, "").split(",")) if host]
        if "*" not in hosts:  # no proxy for any host, which holds only as long as nothing else is named
            os.environ[name] = ",".join(dict.fromkeys([*hosts, *LOOPBACK]))
