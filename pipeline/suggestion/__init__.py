"""Which rows of a file to label next."""
