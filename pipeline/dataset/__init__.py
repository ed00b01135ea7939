"""A data set of the user's own: what the file is, which columns matter, and where it goes."""
