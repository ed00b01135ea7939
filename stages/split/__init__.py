"""Divide the rows into train, val and test, seeded, with duplicates and groups kept together."""
