"""The read side: the projector that folds the log into rows, the database that holds them, and what is asked of it.

Nothing writes to the database but the projector, so that it can be thrown away and rebuilt from the log at any time.
"""
