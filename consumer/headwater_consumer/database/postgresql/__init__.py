"""The projection in a schema of PostgreSQL: for many readers and several projectors. The driver is used only here.

A projection is one schema of a database, so that a replay can build another beside it and replace it in one
transaction, under connections that are open. Nothing is written outside that schema: `schema` is the adapter.
"""
