"""Commands for the whole store that operators run through a server."""
