"""Pure: which stages will run, are restored or fresh, and why."""
