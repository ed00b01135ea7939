"""How the steps are run: the plan, the Prefect flows, the comparison and the command line."""
