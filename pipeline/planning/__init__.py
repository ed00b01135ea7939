"""Pure: which stages run, are restored or stay fresh, and why; reads a `Snapshot` and opens no file."""
