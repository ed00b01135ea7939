"""Fetch the rows or the encoder, check them, and write them in one format."""
