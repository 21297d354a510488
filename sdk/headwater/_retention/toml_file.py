"""Retention policies as a TOML file: `[project]` for all collections, `[collections.NAME]` for one or several.

[project]
keep_last = 10

[collections."scratch-*"]
keep_newer_than = "7d"
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from headwater_schemas.errors import InvalidInput
from headwater_schemas.retention import WHOLE_PROJECT, RetentionPolicy, check_policy_name

PROJECT, COLLECTIONS = "project", "collections"
FILE_BYTES_MAX = 1024 * 1024  # far more than all the policies of a project

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_Path = tuple[str, ...]  # of keys: ("collections", "images", "keep_last")


def read_policies(text: str, name: str) -> dict[str, RetentionPolicy]:
    """The policies in the text of the file `name`. Raises: InvalidInput naming the line and the key that is wrong."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{name} is not TOML: {error}.") from None
    found = {}
    for path, rules in _policies_in(tables, text, name):
        try:
            policy_name = WHOLE_PROJECT if path == (PROJECT,) else check_policy_name(path[1])
            found[policy_name] = RetentionPolicy.of(rules)
        except InvalidInput as error:
            raise _wrong(name, text, _blamed(path, rules), str(error)) from None
    return found


def write_policies(policies: Mapping[str, RetentionPolicy]) -> str:
    """The text that `read_policies` reads as these."""
    tables = []
    for name, policy in sorted(policies.items()):
        header = PROJECT if name == WHOLE_PROJECT else f"{COLLECTIONS}.{_key(name)}"
        tables.append(
            "\n".join([f"[{header}]", *(f"{rule} = {_value(value)}" for rule, value in policy.rules.items())])
        )
    return "\n\n".join(tables) + "\n" if tables else ""


def _policies_in(tables: Mapping[str, Any], text: str, name: str) -> Iterator[tuple[_Path, dict[str, Any]]]:
    """The tables that are policies, each with its path."""
    for key, value in tables.items():
        if key not in (PROJECT, COLLECTIONS):
            allowed = f"Use [{PROJECT}] and [{COLLECTIONS}.NAME]."
            raise _wrong(name, text, (key,), f"{key!r} is nothing that a file of policies has. {allowed}")
        of_key = {(PROJECT,): value} if key == PROJECT else _collections_in(value, text, name)
        for path, rules in of_key.items():
            if not isinstance(rules, dict):
                raise _wrong(name, text, path, f"a policy is a table of rules, not {rules!r:.60}.")
            yield path, rules


def _collections_in(value: Any, text: str, name: str) -> dict[_Path, Any]:
    if not isinstance(value, dict):
        raise _wrong(name, text, (COLLECTIONS,), f"{COLLECTIONS} has tables by name: write [{COLLECTIONS}.NAME].")
    if WHOLE_PROJECT in value:
        path = (COLLECTIONS, WHOLE_PROJECT)
        raise _wrong(name, text, path, f"the policy for all collections is that of the project: write [{PROJECT}].")
    return {(COLLECTIONS, one): rules for one, rules in value.items()}


def _blamed(path: _Path, rules: Mapping[str, Any]) -> _Path:
    """The path of the first rule that is wrong, or of the policy."""
    for rule, value in rules.items():
        try:
            RetentionPolicy.of({rule: value})
        except InvalidInput:
            return (*path, rule)
    return path


def _wrong(name: str, text: str, path: _Path, why: str) -> InvalidInput:
    line = next((number for number, known in _places(text) if known == path), None)
    where = name if line is None else f"{name}, line {line}"
    return InvalidInput(f"{where}: {'.'.join(map(_key, path))}: {why}")


def _places(text: str) -> Iterator[tuple[int, _Path]]:
    """The lines that begin tables and values, as far as each is one line; each with the path of its keys."""
    table: _Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        try:
            parsed: Any = tomllib.loads(line)
        except tomllib.TOMLDecodeError:
            continue
        path = tuple(_keys_of(parsed))
        if line.lstrip().startswith("["):
            table = path
            yield number, table
        elif path:
            yield number, (*table, *path)


def _keys_of(parsed: Any) -> Iterator[str]:
    while isinstance(parsed, dict) and parsed:
        key, parsed = next(iter(parsed.items()))
        yield key


def _key(name: str) -> str:
    """A key as TOML has it. Names of collections need no escapes."""
    return name if _BARE.fullmatch(name) else f'"{name}"'


def _value(value: object) -> str:
    return "true" if value is True else f'"{value}"' if isinstance(value, str) else str(value)
