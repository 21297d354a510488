"""What is done on the stores themselves, and not through a server."""

from typing import NoReturn

from headwater_schemas.errors import InvalidSettings


def refuse(what: str, server: str) -> NoReturn:
    """Raises: InvalidSettings, which says where to do it."""
    raise InvalidSettings(
        f"{what} is not done through a server, and HEADWATER_URL names one ({server}). Do it where that server runs, "
        "with HEADWATER_URL set to the store behind it."
    )


class NotHere:
    """Stands for a part of a store that a server does not show. Using it raises InvalidSettings."""

    def __init__(self, what: str, server: str) -> None:
        self.__dict__.update(_what=what, _server=server)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        refuse(self.__dict__["_what"], self.__dict__["_server"])

    def close(self) -> None:
        """Nothing is open."""
