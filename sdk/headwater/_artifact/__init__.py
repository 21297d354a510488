"""Artifacts: filled locally, logged, and looked up as versions."""
