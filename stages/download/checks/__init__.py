"""What is wrong with rows, and what happens to them."""
