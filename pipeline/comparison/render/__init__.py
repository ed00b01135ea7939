"""A comparison or a history as text: for a terminal, or as Markdown for a pull request."""
