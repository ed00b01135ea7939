"""What makes training cheaper and changes no result."""
