"""The server of the journeys on one machine, and the server with its workers of those across machines."""

from tests.pipeline.conftest import prefect_api  # noqa: F401
from tests.pipeline.workers.conftest import api, deployed, machines, server  # noqa: F401
