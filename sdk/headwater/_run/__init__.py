"""Runs: one execution, what it used and what it logged."""
