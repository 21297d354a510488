"""Copies of a whole store: the records of its log into a new one, after the objects that they name."""
