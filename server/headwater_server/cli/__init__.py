"""The commands that this package adds to `headwater`, by entry point."""
