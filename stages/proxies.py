"""Proxies that the environment names, and that the libraries here can't use."""

import importlib.util
from collections.abc import Mapping
from urllib.parse import urlsplit

NAMES = ("http_proxy", "https_proxy", "all_proxy")  # in either case
SOCKS = ("socks5", "socks5h")  # what both requests and httpx speak, each with a package of its own


def unusable_proxies(environment: Mapping[str, str], *, socks: str) -> dict[str, str]:
    """Return the variables of proxies that can't be used, and why, without their values: these may hold a password.

    Args:
        environment: Names and values.
        socks: The module with which the library speaks to a SOCKS proxy: socks (requests) or socksio (httpx).
    """
    named = {name: value.strip() for name, value in environment.items() if name.lower() in NAMES}
    reasons = {name: _why(value, socks) for name, value in named.items() if value}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _why(value: str, socks: str) -> str | None:
    address = value if "://" in value else f"http://{value}"
    scheme = address.partition("://")[0].lower()
    if scheme in SOCKS:
        if importlib.util.find_spec(socks) is not None:
            return None
        package = "pysocks" if socks == "socks" else socks
        return f"names a SOCKS proxy, which needs another package: pip install {package}"
    if scheme not in ("http", "https"):
        return f"starts with {scheme}://, expected http://, https:// or socks5://"
    try:
        urlsplit(address).port  # noqa: B018  # parsed here
    except ValueError:
        return "is not an address"
    return None
