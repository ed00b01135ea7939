"""The kinds of answers that a model can learn; a package per concern, and in each a module per kind."""
