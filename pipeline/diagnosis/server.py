"""Prefect: the API that runs report to, or the folder of the server that each run starts for itself."""

from collections.abc import Iterator

from pipeline.diagnosis.finding import Finding
from pipeline.local.server import answers, check_settings

NOT_PREFECT = "export PREFECT_API_URL=http://HOST:4200/api, or: unset PREFECT_API_URL"


def check_prefect() -> Iterator[Finding]:
    """Look whether the configured API answers this client."""
    check_settings()
    import httpx
    import prefect
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    url = PREFECT_API_URL.value()
    if not url:
        yield Finding(
            "Prefect", "ok", f"{prefect.__version__}; no PREFECT_API_URL: each run starts a server of its own"
        )
        return
    if not answers(url):
        yield Finding(
            "Prefect", "fail", f"the API at {url} does not answer", "prefect server start, or: unset PREFECT_API_URL"
        )
        return
    try:
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), get_client(sync_client=True) as client:
            version: object = client.api_version()
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        if code in (401, 403):
            detail = f"the API at {url} refuses this client (HTTP {code})"
            yield Finding("Prefect", "fail", detail, "export PREFECT_API_AUTH_STRING=USER:PASSWORD")
        else:
            yield Finding("Prefect", "fail", f"{url} is not a Prefect API (HTTP {code})", NOT_PREFECT)
        return
    except (httpx.HTTPError, ValueError) as error:
        detail = f"{url} is not a Prefect API, or broke off its answer ({type(error).__name__})"
        yield Finding("Prefect", "fail", detail, NOT_PREFECT)
        return
    if not isinstance(version, str):
        yield Finding("Prefect", "fail", f"{url} is not a Prefect API: it has no version", NOT_PREFECT)
    elif version.split(".")[:2] != prefect.__version__.split(".")[:2]:
        detail = f"the server at {url} is {version}, this client {prefect.__version__}"
        yield Finding("Prefect", "note", detail, f"python -m pip install prefect=={version}")
    else:
        yield Finding("Prefect", "ok", f"{version} at {url}")
