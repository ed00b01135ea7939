"""All access to DVC and git: stages, dvc.lock, digests, caches, the remote, revisions and commits."""
