"""Reads one file, row by row, whatever its format."""
