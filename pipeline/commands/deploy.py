"""`retune deploy` and `retune reconcile`: run stages on workers of several machines."""

from pipeline.commands.terminal import console, project_root


def deploy() -> None:
    """Create or update the work pools and deployments of prefect.yaml on the configured Prefect API.

    Example: `PREFECT_API_URL=http://server:4200/api retune deploy`
    """
    from pipeline.local.server import configured_api

    root = project_root()
    configured_api()  # before Prefect is imported
    from pipeline.workers.deploy import deploy as deploy_project

    for name in deploy_project(root):
        console.print(name)
    console.print(
        "Next, on each machine: prefect worker start --pool cpu (or gpu). Schedules keep their state (on or off)."
    )


def reconcile() -> None:
    """Restart coordinators that crashed or stopped sending heartbeats; runs until it is stopped.

    Example: `PREFECT_API_URL=http://server:4200/api retune reconcile`
    """
    from pipeline.local.server import check_settings

    check_settings()  # that the server does not answer yet is no error: the two start together
    from pipeline.workers.reconcile import reconcile as run_reconciler

    run_reconciler()
