"""Inside an encoder: its layers, its positions and its classification head."""
