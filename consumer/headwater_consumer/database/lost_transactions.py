"""What a reader is told of a database that crashed: a projector's transactions do not wait for its disk, since the log
is the truth and they can be applied again.
"""

from headwater_schemas.errors import StoreUnavailable


def lost_transactions(name: str) -> StoreUnavailable:
    """The error of a reader that does not find what it has just seen in the database of this name."""
    return StoreUnavailable(
        f"{name} has lost its last transactions, such as in a crash, and is brought up to date again. Nothing is lost "
        "for good; try again in a moment."
    )
