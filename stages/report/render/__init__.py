"""Templates filled with what the other modules found."""
