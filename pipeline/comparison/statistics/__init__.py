"""Paired tests and intervals for the difference of two models (numpy, and scipy's distributions)."""
