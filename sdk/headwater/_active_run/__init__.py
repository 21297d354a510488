"""The run that is active in this process, as artifacts see it."""
