"""Typed values as JSON and back, as their type hints say: for records that travel between a server and its clients.

One value: text, numbers, truth and None as JSON has them; bytes in base64; a record as an object by field; a bare tuple
as a list. Many values of one type: a list; but of records, an object with a list for each field, and of bare tuples, a
list with a list for each place, since a million entries would cost less than the names of their fields. A mapping: an
object with its `keys` and its `values`.

Decoding believes nothing: whatever was sent becomes a value of the type, or is refused in words that say where it is
wrong. A field that is not known is passed over, and one that is missing has its default, so that a release understands
the next one.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from headwater_schemas.json_codecs import AnythingCodec, BytesCodec, Codec, PlainCodec
from headwater_schemas.json_containers import ManyCodec, MappingCodec, ProductCodec, UnionCodec

_SEQUENCES: dict[Any, Callable[[Iterable[Any]], Any]] = {
    list: list,
    Sequence: list,
    Iterable: list,
    Collection: list,
    frozenset: frozenset,
}
_MAPPINGS = (dict, Mapping)


def codec_of(hint: Any) -> Codec[Any]:
    """The codec of a type. Raises: TypeError for a type that has none."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return AnythingCodec()
    if hint in (NoneType, None, bool, int, str):
        return PlainCodec(NoneType if hint is None else hint)
    if hint is bytes:
        return BytesCodec()
    if origin in (Union, UnionType):
        return UnionCodec([codec_of(one) for one in arguments])
    if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        return ProductCodec(tuple, None, [codec_of(one) for one in arguments], {})
    if origin is tuple or origin in _SEQUENCES:
        return ManyCodec(_SEQUENCES.get(origin, tuple), codec_of(arguments[0]))
    if origin in _MAPPINGS:
        return MappingCodec(*(codec_of(one) for one in arguments))
    return _record(hint)


def _record(kind: Any) -> Codec[Any]:
    if is_dataclass(kind):
        defaults = {one.name: one.default for one in fields(kind) if one.default is not MISSING}
        order = [one.name for one in fields(kind)]
    elif issubclass(kind, tuple) and hasattr(kind, "_fields"):
        order, defaults = list(kind._fields), dict(kind._field_defaults)
    else:
        raise TypeError(f"{kind} has no form in JSON.")
    hints = get_type_hints(kind)
    return ProductCodec(kind, order, [codec_of(hints[name]) for name in order], defaults)
