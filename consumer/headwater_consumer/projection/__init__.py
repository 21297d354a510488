"""How far the projection of a log is, and waiting until it covers what was written.

`embedded` projects by itself while it waits, `remote` waits for projectors that run elsewhere.
"""
