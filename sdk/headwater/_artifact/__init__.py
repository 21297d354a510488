"""Artifacts: built locally, logged, and looked up again as versions."""
