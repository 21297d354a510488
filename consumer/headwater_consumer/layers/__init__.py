"""A stack of layers as one listing: what it contains, and which paths cannot join it. Shared by reading and writing."""
