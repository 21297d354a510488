"""Retention: which live versions a project no longer keeps, by their time to live or by its policies.

Nothing here writes: who acts by it sends events, which the projector judges by what has come about meanwhile.
"""
