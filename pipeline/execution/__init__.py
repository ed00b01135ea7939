"""Runs stages, each as `dvc repro -s` in a watched process tree; one run at a time in a workspace."""
