"""Stages across machines: a coordinator without data, workers that run one stage each, and what is published."""
