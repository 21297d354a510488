"""Operational tables: what has to be remembered, is no fact about artifacts, and so is not on the log.

They are a small database of their own beside the projection, which a replay never touches: a file in a folder's store,
a schema on PostgreSQL. They may be ahead of a projection that is being rebuilt; whoever reads both waits for that.

`tables` has the definition of every table. Each table has a module with its functions, as `named_cursors`: plain SQL
that both databases understand, one function per question. Nothing here is loaded by who only logs and reads artifacts.
"""
