"""Fetch the rows or the encoder, check them, and bring them into one form."""
