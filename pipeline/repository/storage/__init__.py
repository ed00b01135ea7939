"""What DVC keeps: objects and run-cache entries, in the local cache and in the remote."""
