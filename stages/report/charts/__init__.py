"""The report's charts: data in, coordinates out."""
