"""Telling people: progress, notes, and what somebody waits for; on standard error."""
