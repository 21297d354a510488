"""What is known of the code that a run executes: a part of its events, and of what is told of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Capture:
    """What a run executes, as its process found it. Contains no secret."""

    commit: str | None = None  # of the git repository: 40 or 64 hexadecimal digits, lower case
    remote: str | None = None  # its URL
    branch: str | None = None
    dirty: str | None = None  # whether files differ from the commit: one of DIRTY; None: there is no repository
    environment: str | None = None  # canonical JSON object: command, Python, host, user, packages; None: not captured
