"""What a model gives for a row, kept on disk by content, so that it is computed once."""
