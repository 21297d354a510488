"""Names of objects, as clients of a server know them: labels. Where content really is, only the server knows.

What was written before has one label for each project. What this process is about to write has the names that its
stager makes up. Both have the shape of names, so that all that works with names works with labels.
"""

from headwater_schemas.object_names import place_label, project_of

CONFIRMED_BYTES = 1 << 62  # the size of what a server vouches for: it is asked by content, not by object


def is_stored_label(name: str) -> bool:
    """Whether a server gave this label, so that it vouches for it."""
    return name == place_label(project_of(name))
