"""Tests of the servers themselves, started for real."""
