"""Writing through a server: what clients send is checked, given its places, and appended in groups.

`checking` holds each event to the rules. `places` finds where the content of events is, or stores it; `groups` gathers
what several clients send at once.
"""
