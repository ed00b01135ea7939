"""Rules that rows must keep, and the checks that apply them."""
