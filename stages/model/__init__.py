"""Inside an encoder: its layers and its classification heads."""
