"""Takes secrets out of texts that people read or that are stored: passwords and signatures in URLs, tokens.

Every RetuneError and every log line passes through `redact`. It is the last guard, not the first: `params.py` refuses
a params.yaml that holds a secret, and credentials come from the environment or from netrc.
"""

import logging
import os
import re
import sys
import traceback
from types import TracebackType
from urllib.parse import unquote

MASK = "***"
SHORTEST = 8  # characters of a value in the environment that is searched for: shorter ones are words of other meaning
DEPTH = 3  # a URL in the query of a URL in the query of a URL
_STOP = r"\s\"'<>"  # characters that end a URL in a sentence

# Lengths are bounded, so that the time grows with the text and not with its square.
# A scheme without its slashes is a URL all the same: pathlib folds //, and people forget them or write \\.
_SCHEMES = (
    r"https?|s?ftps?|s3a?|gc?s|az|abfss?|hf|ssh|webdavs?|(?:git|svn)\+[a-z]{2,5}|postgres(?:ql)?|mysql|redis|mongodb"
)
_START = rf"(?:\b(?P<scheme>(?:{_SCHEMES})(?=:)|[a-z][a-z0-9+.-]{{0,20}}(?=:[/\\])):[/\\]{{0,8}}|//)"
_USERINFO = re.compile(rf"(?P<start>{_START})(?P<info>[^/\\?#{_STOP}]{{0,1000}})@", re.IGNORECASE)
# A password with an unquoted / ? or #, as people paste it. Digits before these characters are a port.
_RAW_PASSWORD = re.compile(
    rf"(?P<start>(?:\b(?:{_SCHEMES}):[/\\]{{0,8}}|//))[^/\\?#:\[{_STOP}]{{0,200}}:"
    rf"(?!\d*(?:[/?#{_STOP}]|$))[^{_STOP}]{{0,1000}}@",
    re.IGNORECASE,
)
_HUB_PASSWORD = re.compile(  # in any part of the path: no name on the Hub has a colon
    rf"(?P<start>\bhf:[/\\]{{0,8}}(?:[^/:@{_STOP}]{{1,200}}/){{0,3}})[^/:@{_STOP}]{{0,200}}:[^@{_STOP}]{{0,1000}}@",
    re.IGNORECASE,
)
_BARE_PASSWORD = re.compile(  # USER:PASSWORD@HOST/: a URL without its scheme
    rf"(?<![\w/\\:@.%+~-])[\w.%+~-]{{1,100}}:[^@/\\{_STOP}]{{1,200}}@"
    r"(?=(?:localhost|[\w-]{1,63}(?:\.[\w-]{1,63}){1,10}|\[[\da-f:]{2,50}\])(?::\d{1,5})?[/\\])",
    re.IGNORECASE,
)
_QUERY = re.compile(rf"(?P<start>[?&;#])(?P<name>[^=?&;#{_STOP}]{{1,80}})=(?P<value>[^?&;#{_STOP}]+)")
_SECRET_NAME = re.compile(
    r"[\w.-]*(?:token|secret|signature|passw(?:or)?d|passphrase|credentials?)"
    r"|[\w.-]*(?:api|access|secret|auth|account|private|shared|subscription|storage)[-_.]?key(?:[-_.]?id)?"
    r"|(?:[\w.-]*[-_.])?(?:key|sig|sign|auth|authorization|pass|pwd|pw|sas|jwt|hmac|bearer|session|session[-_]?id|sid)"
    r"|(?:[\w.-]*[-_.])?(?:tok|otp|cookie|samlresponse|assertion)",
    re.IGNORECASE,
)
# Names that also stand before words: a secret is long (a key of Azure Functions, a policy of CloudFront, a CAS ticket).
_LONG_SECRET_NAME = re.compile(r"(?:[\w.-]*[-_.])?(?:code|ticket|policy)", re.IGNORECASE)
_LONG = 12  # characters
_HEADER = re.compile(
    r"\b(?P<name>(?:proxy-)?authorization|cookie|private-token|x-api-key)(?P<between>[\"']?\s*[:=]\s*[\"']?)"
    r"(?:(?:basic|bearer|token)\s+)?[^\s\"',]+",
    re.IGNORECASE,
)
_TOKEN = re.compile(  # as the Hub, GitHub, GitLab, Prefect, AWS and Slack write them
    r"\b(?:hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|pn[ub]_[A-Za-z0-9]{20,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|xox[abp]-[\w-]{10,})\b"
)
_SECRET_VARIABLE = re.compile(
    r"(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|KEY|AUTH_STRING|CONNECTION_STRING|CREDENTIAL)$", re.IGNORECASE
)


def redact(text: str) -> str:
    """Return the text with `***` for each secret: in URLs and headers, tokens, and secret values of the environment."""
    for name, value in os.environ.items():
        if len(value) >= SHORTEST and value in text and _SECRET_VARIABLE.search(name):
            text = text.replace(value, MASK)
    return redact_shapes(text)


def redact_shapes(text: str) -> str:
    """Return the text with `***` for what looks like a secret; for results, which do not depend on the environment."""
    return _redact(text, DEPTH)


def holds_secret(text: str) -> bool:
    """Return whether the text has a URL with a password or a signature, or a token, whatever the environment holds."""
    return redact_shapes(text) != text


def without_credentials(url: str) -> str:
    """Return the URL without its user and password: `https://token@host/x` is `https://host/x`."""
    return redact_shapes(url).replace(f"//{MASK}@", "//")


def redact_output() -> None:
    """Redact every line that any library of this process logs from now on, and every traceback."""
    logging.setLogRecordFactory(_RedactedRecord)
    sys.excepthook = _print_traceback


class _RedactedRecord(logging.LogRecord):
    _traceback: str | None = None

    def getMessage(self) -> str:  # noqa: N802
        return redact(super().getMessage())

    @property
    def exc_text(self) -> str | None:  # where logging keeps the traceback that it has formatted
        return self._traceback

    @exc_text.setter
    def exc_text(self, text: str | None) -> None:
        self._traceback = redact(text) if text else text


def _print_traceback(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    sys.stderr.write(redact("".join(traceback.format_exception(error))))


def _redact(text: str, depth: int) -> str:
    text = _USERINFO.sub(_mask_userinfo, text)
    text = _RAW_PASSWORD.sub(rf"\g<start>{MASK}@", text)
    text = _HUB_PASSWORD.sub(rf"\g<start>{MASK}@", text)
    text = _BARE_PASSWORD.sub(f"{MASK}@", text)
    text = _QUERY.sub(lambda match: _mask_value(match, depth), text)
    text = _HEADER.sub(rf"\g<name>\g<between>{MASK}", text)
    return _TOKEN.sub(MASK, text)


def _mask_userinfo(match: re.Match[str]) -> str:
    scheme, info = (match["scheme"] or "").lower(), match["info"]
    # A user alone is often a token over http, but the container of abfs://CONTAINER@ACCOUNT or the login of ssh://
    if ":" not in info and "http" not in scheme:
        return match[0]
    return f"{match['start']}{MASK}@"


def _mask_value(match: re.Match[str], depth: int) -> str:
    name, value = unquote(match["name"]), match["value"]
    inner = unquote(value)  # may be a URL itself, as in ?next=https%3A%2F%2F
    is_long = len(value) >= _LONG and _LONG_SECRET_NAME.fullmatch(name)
    is_secret = (
        is_long or _SECRET_NAME.fullmatch(name) or (depth and inner != value and _redact(inner, depth - 1) != inner)
    )
    return f"{match['start']}{match['name']}={MASK}" if is_secret and value != MASK else match[0]
