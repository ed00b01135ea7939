"""Runs the stages across machines: a coordinator submits them to work pools, workers run them, results go to git."""
