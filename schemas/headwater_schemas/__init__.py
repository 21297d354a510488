"""The contract: events and their encoding, the grammar of names, and how content is identified.

Everything here is pure and does no I/O, except that it reads the `.avsc` files beside this module. Formats are final: a
later release may extend them, but never changes what a log already holds.
"""
