"""Brings sources to disk: paths, archives, URLs, object stores, the Hub."""
