"""The contract: what an event says, how it is written, what a name may be and how content is identified.

Everything here is pure and does no I/O (the `.avsc` files beside this module are the one thing it reads). Formats
defined here are final: a later release may add to them, never change what is already in a log.
"""
