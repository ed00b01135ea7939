"""Reads the rows of one file, whatever its format."""
