"""The JSON of queries: of their arguments by name, and of their results. Both ends of an HTTP connection use it."""

import inspect
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import GenericAlias
from typing import Any, Generic, ParamSpec, TypeVar, get_args, get_type_hints

from headwater_schemas.errors import InvalidInput
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.json_codecs import Codec
from headwater_schemas.typed_json import codec_of

from headwater_consumer.queries.reads import ListQuery, PagedQuery, Query

P = ParamSpec("P")
T = TypeVar("T")
FORMS_KEPT_MAX = 256  # more than there are queries


class QueryForm(Generic[P, T]):
    """How one query is written and read. The result of a `PagedQuery` is a list of pages here."""

    def __init__(self, query: Query[P, T]) -> None:
        self._name, hints = query.name, get_type_hints(query.function)
        _, *parameters = inspect.signature(query.function).parameters.values()
        self._signature = inspect.Signature(parameters)
        self._arguments = {one.name: codec_of(hints[one.name]) for one in parameters}
        self.result: Codec[Any] = codec_of(_result_of(query, hints["return"]))

    def write_arguments(self, *arguments: P.args, **named: P.kwargs) -> dict[str, Any]:
        """What is sent for a call."""
        given = self._signature.bind(*arguments, **named).arguments
        return {name: self._arguments[name].write(value) for name, value in given.items()}

    def rest_of(self, query: ListQuery[Any, Any], given: Mapping[str, Any], part: Sequence[Any]) -> dict[str, Any]:
        """What is sent for the rest of a list: `given` was sent for its first `part`."""
        limit = given.get("limit", self._signature.parameters["limit"].default)
        following = self._arguments[query.by].write(query.key(part[-1]))
        return {**given, query.by: following, "limit": limit - len(part)}

    def read_arguments(self, sent: Any) -> dict[str, Any]:
        """All arguments by name, those that were left out included. Raises: InvalidInput."""
        if not isinstance(sent, Mapping):
            raise InvalidInput(f"the arguments of {self._name} are an object by name. Send {{}} for none.")
        if unknown := [name for name in sent if name not in self._arguments]:
            raise InvalidInput(
                f"{self._name} has no argument {quoted(unknown[0])}. It takes: {', '.join(self._arguments) or 'none'}."
            )
        read = {}
        for name, parameter in self._signature.parameters.items():
            if name in sent:
                read[name] = self._arguments[name].decode(sent[name], name)
            elif parameter.default is parameter.empty:
                raise InvalidInput(f"{self._name} needs the argument {name}. Send it.")
            else:
                read[name] = parameter.default
        return read


def _result_of(query: Query[Any, Any], hint: Any) -> Any:
    if not isinstance(query, PagedQuery):
        return hint
    (page,) = get_args(hint)
    return GenericAlias(list, (page,))


@lru_cache(FORMS_KEPT_MAX)
def _form_of(query: Query[Any, Any]) -> QueryForm[Any, Any]:
    return QueryForm(query)


def form_of(query: Query[P, T]) -> QueryForm[P, T]:
    """The form of a query, made once."""
    return _form_of(query)
