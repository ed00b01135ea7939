"""The Prefect flow of one machine, its server and its live table."""
