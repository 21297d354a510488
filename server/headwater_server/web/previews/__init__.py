"""Showing what is in a file: bounded, never executed, and nothing is fetched from elsewhere."""
