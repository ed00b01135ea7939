"""Every metric of a classifier with its interval (numpy and scipy)."""
