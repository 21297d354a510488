"""A store behind the address of a headwater server: its parts ask that server, over kept HTTP connections."""
