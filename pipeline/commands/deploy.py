"""`retune deploy` and `retune reconcile`: stages on workers."""

from pipeline.commands.terminal import console, project_root


def deploy() -> None:
    """Make the work pools and deployments of prefect.yaml on the configured Prefect API; may be repeated.

    Example: `PREFECT_API_URL=http://server:4200/api retune deploy`
    """
    from pipeline.workers.deploy import deploy as make

    for name in make(project_root()):
        console.print(name)
    console.print("Next, on each machine: prefect worker start --pool cpu (or gpu). Schedules stay as they are.")


def reconcile() -> None:
    """Start coordinators again that crashed or fell silent; runs until it is stopped, beside Prefect's server.

    Example: `PREFECT_API_URL=http://server:4200/api retune reconcile`
    """
    from pipeline.workers.reconcile import watch_for_ever

    watch_for_ever()
