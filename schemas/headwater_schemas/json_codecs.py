"""How `typed_json` writes and reads one type: what every codec does, and those of what JSON has itself."""

import binascii
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from types import NoneType
from typing import Any, Generic, TypeVar

from headwater_schemas.errors import InvalidInput
from headwater_schemas.frozen_unicode import quoted

INTEGER_MAX = (1 << 63) - 1  # as databases have it
SHOWN_MAX = 40  # characters of what is wrong

T = TypeVar("T")
NULL, TRUTH, NUMBER, TEXT, LIST, OBJECT = "null", "true or false", "a number", "text", "a list", "an object"
KINDS = {NoneType: NULL, bool: TRUTH, int: NUMBER, float: NUMBER, str: TEXT, list: LIST, dict: OBJECT}


class Codec(ABC, Generic[T]):
    """How values of one type are written as JSON and read."""

    kinds: frozenset[str]  # of JSON: what one value looks like
    has_columns = False  # whether many values are written in columns
    kind_of_all = LIST  # of JSON: what many values look like

    @abstractmethod
    def is_of(self, value: object) -> bool:
        """Whether `value` is of this type, as far as a union must know."""

    @abstractmethod
    def write(self, value: T) -> Any:
        """One value as JSON."""

    @abstractmethod
    def read(self, sent: Any) -> T:
        """Raises: WrongValue."""

    def write_all(self, values: Collection[T]) -> Any:
        """Many values as JSON."""
        return list(map(self.write, values))

    def read_all(self, sent: Any) -> list[T]:
        """Raises: WrongValue."""
        return [within(i, self.read, one) for i, one in enumerate(checked(sent, list))]

    def decode(self, sent: Any, what: str) -> T:
        """One value that was sent, called `what` in messages. Raises: InvalidInput."""
        try:
            return self.read(sent)
        except WrongValue as wrong:
            raise InvalidInput(f"{what}{wrong.place} is {wrong}. Send what the interface says.") from None


class WrongValue(Exception):
    """What was sent is not of the type. `Codec.decode` makes an error for people of it."""

    def __init__(self, found: object, expected: str) -> None:
        super().__init__(f"{_shown(found)} instead of {expected}")
        self.place = ""  # where it is, as in ".layers[3]"


def _shown(found: object) -> str:
    if isinstance(found, str):
        return quoted(found, SHOWN_MAX)
    kind = KINDS.get(type(found), type(found).__name__)
    return str(found)[:SHOWN_MAX] if kind == NUMBER else kind


def checked(sent: Any, kind: type[T]) -> T:
    """What was sent, of one kind of JSON. Raises: WrongValue."""
    if type(sent) is not kind:
        raise WrongValue(sent, KINDS[kind])
    return sent


def within(place: str | int, read: Callable[[Any], T], sent: Any) -> T:
    """What `read` makes of a part."""
    try:
        return read(sent)
    except WrongValue as wrong:
        wrong.place = (f"[{place}]" if isinstance(place, int) else f".{place}") + wrong.place
        raise


class PlainCodec(Codec[Any]):
    """What JSON has as it is."""

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self.kinds = frozenset([KINDS[kind]])

    def is_of(self, value: object) -> bool:
        return type(value) is self._kind

    def write(self, value: Any) -> Any:
        return value

    def read(self, sent: Any) -> Any:
        value: Any = checked(sent, self._kind)
        if self._kind is int and not -INTEGER_MAX - 1 <= value <= INTEGER_MAX:
            raise WrongValue(value, "a whole number of at most 64 bits")
        if self._kind is str and not _is_text(value):
            raise WrongValue(value, "text without halves of characters and without NUL")
        return value

    def write_all(self, values: Collection[Any]) -> Any:
        return list(values)

    def read_all(self, sent: Any) -> list[Any]:
        values: list[Any] = checked(sent, list)
        if set(map(type, values)) <= {self._kind} and self._are_all_sound(values):
            return values
        return super().read_all(sent)

    def _are_all_sound(self, values: list[Any]) -> bool:
        if self._kind is int and values:
            return bool(min(values) >= -INTEGER_MAX - 1 and max(values) <= INTEGER_MAX)
        return self._kind is not str or _is_text("".join(values))


def _is_text(text: str) -> bool:
    """Whether it can be UTF-8, and a text in every database."""
    if "\0" in text:
        return False
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:  # half a surrogate pair
        return False


class BytesCodec(Codec[bytes]):
    """In base64."""

    kinds = frozenset([TEXT])

    def is_of(self, value: object) -> bool:
        return isinstance(value, bytes)

    def write(self, value: bytes) -> Any:
        return binascii.b2a_base64(value, newline=False).decode()

    def read(self, sent: Any) -> bytes:
        try:
            return binascii.a2b_base64(checked(sent, str), strict_mode=True)
        except ValueError:
            raise WrongValue(sent, "base64") from None

    def read_all(self, sent: Any) -> list[bytes]:
        try:
            return [binascii.a2b_base64(one, strict_mode=True) for one in checked(sent, list)]
        except (ValueError, TypeError):
            return super().read_all(sent)  # says which is wrong


class AnythingCodec(Codec[Any]):
    """JSON as it is."""

    kinds = frozenset(KINDS.values())

    def is_of(self, value: object) -> bool:
        return type(value) in KINDS

    def write(self, value: Any) -> Any:
        return value

    def read(self, sent: Any) -> Any:
        return sent

    def write_all(self, values: Collection[Any]) -> Any:
        return list(values)

    def read_all(self, sent: Any) -> list[Any]:
        return checked(sent, list)
