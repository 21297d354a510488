"""Recurring maintenance. It acts by events, as everything does, so that a replay does the same.

But for what is no fact: `usage_sums` keeps in the operational tables what takes long to count.
"""
