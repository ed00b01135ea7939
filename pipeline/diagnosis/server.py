"""Prefect: the API that runs report to, or the folder of the server that each run starts for itself."""

from collections.abc import Iterator

from pipeline.diagnosis.finding import Finding
from pipeline.local.server import answers, check_settings


def check_prefect() -> Iterator[Finding]:
    """Look whether the configured API answers this client."""
    check_settings()
    import httpx
    import prefect
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL

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
        with get_client(sync_client=True) as client:
            version = client.api_version()
    except httpx.HTTPStatusError as error:
        detail = f"the API at {url} refuses this client (HTTP {error.response.status_code})"
        yield Finding("Prefect", "fail", detail, "export PREFECT_API_AUTH_STRING=USER:PASSWORD")
        return
    if version.split(".")[:2] != prefect.__version__.split(".")[:2]:
        detail = f"the server at {url} is {version}, this client {prefect.__version__}"
        yield Finding("Prefect", "note", detail, f"python -m pip install prefect=={version}")
    else:
        yield Finding("Prefect", "ok", f"{version} at {url}")
