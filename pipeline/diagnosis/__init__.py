"""What `retune doctor` looks at: a module per part of the setup, and nothing here changes anything."""
