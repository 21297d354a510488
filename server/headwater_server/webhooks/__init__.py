"""Telling webhooks what happened: version events as signed requests, at least once each, in order by collection.

One process delivers at a time, which holds a lease. In it each webhook has a `Courier`, a task that goes on from the
webhook's cursor: it takes new events from the `Tail` that all share, older ones from the projection. What a receiver
does delays nobody else: it stops its own webhook, or one collection of it.
"""
