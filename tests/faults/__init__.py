"""Faults that real processes meet: killed, interrupted, forked, crowded, out of room, and used wrongly.

Everything goes through the public SDK and the command line; only looking at what is stored afterwards does not.
"""
