"""The one door to DVC and git: stages, lock, hashes, cache, remote, revisions and commits."""
