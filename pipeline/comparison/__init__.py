"""`retune compare` and `retune log`: reads two revisions, tests their differences, and shows the results."""
