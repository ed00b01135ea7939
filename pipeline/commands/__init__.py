"""The commands of `retune`, a module for those that belong together; `pipeline/cli.py` puts them in order."""
