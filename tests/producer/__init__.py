"""The write side by itself, on a log in memory and a blob store in a folder."""
