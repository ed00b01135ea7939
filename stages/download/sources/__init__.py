"""Brings source files to disk: paths, archives, URLs, object stores, the Hub."""
