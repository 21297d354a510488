"""Tests of the read side: laws of the projector, its rules, the runner, queries, replay."""
