"""Recurring maintenance. It acts by events, as everything does, so that a replay does the same."""
