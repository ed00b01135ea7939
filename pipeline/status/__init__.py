"""What runs where at this moment, read from this machine's processes and from Prefect's API."""
