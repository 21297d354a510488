"""What a run records about what it executes."""
