"""`retune deploy` and `retune reconcile`: run stages on workers of several machines."""

from pipeline.commands.terminal import console, project_root


def deploy() -> None:
    """Create or update the work pools and deployments of prefect.yaml on the configured Prefect API.

    Example: `PREFECT_API_URL=http://server:4200/api retune deploy`
    """
    from pipeline.workers.deploy import deploy as deploy_project

    for name in deploy_project(project_root()):
        console.print(name)
    console.print(
        "Next, on each machine: prefect worker start --pool cpu (or gpu). Schedules stay on or off as they are."
    )


def reconcile() -> None:
    """Restart coordinators that crashed or stopped sending heartbeats; runs until it is stopped.

    Example: `PREFECT_API_URL=http://server:4200/api retune reconcile`
    """
    from pipeline.workers.reconcile import reconcile as run_reconciler

    run_reconciler()
