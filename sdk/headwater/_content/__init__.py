"""The content and attributes of versions: entries over a base, links to entries, and how two versions differ."""
