"""The writing side: read records, let the projector decide, write its changes and the cursor in one transaction.

`runner` is the loop over batches, `working_set` the projector's `State` over a transaction, `statements` the SQL that
ranges over many rows, `replay` builds a projection again from the log.
"""
