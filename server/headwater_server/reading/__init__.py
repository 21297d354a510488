"""The queries of the SDK over HTTP: each with what its caller must be allowed to read, and never more in its answer.

A query about what the caller may not read is answered as a store answers in which nothing was ever logged: by such a
store. So the two cannot be told apart.
"""
