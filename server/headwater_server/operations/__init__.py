"""Commands for the whole store that operators run through a server: each is a process of its own beside the server.

The process gets the server's own settings of the store, and options that were checked; its words are sent as they come.
"""
