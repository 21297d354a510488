"""Versions as one file, with all that they were made from: written from one store, read into another.

docs/formats.md has the format. Nothing of ours is needed to read it.
"""
