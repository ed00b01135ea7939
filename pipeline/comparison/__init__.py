"""What `retune compare` and `retune log` are made of: revisions read, differences judged, results shown."""
