"""The error tree is what its picture shows, and messages speak to people."""

import builtins
import copy
import inspect
import pickle
import pkgutil
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from headwater_eventlog.port import RecordsGone
from headwater_schemas import codec, digests, entries, errors, keys, metadata, names, paths, positions
from headwater_schemas.errors import EventRejected, HeadwaterError, Reason
from headwater_schemas.events import EntryRemoved, Stamped
from headwater_schemas.limits import EVENT_BYTES_MAX

from tests.support.samples import ORIGIN, SAMPLES

_LINE = re.compile(r"^ {4}(?P<indent>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: \(also an? (?P<also>\w+)\))?", re.MULTILINE)
_INDENT = 4


def drawn_tree() -> dict[str, tuple[str, ...]]:
    """Class → its bases, as the module's picture has them."""
    tree: dict[str, tuple[str, ...]] = {}
    above: list[str] = []
    for line in _LINE.finditer(errors.__doc__ or ""):
        depth = len(line["indent"]) // _INDENT
        above[depth:] = [line["name"]]
        parent = above[depth - 1] if depth else "Exception"
        tree[line["name"]] = (parent, line["also"]) if line["also"] else (parent,)
    return tree


def real_tree() -> dict[str, tuple[str, ...]]:
    classes = [found for _, found in inspect.getmembers(errors, inspect.isclass) if issubclass(found, Exception)]
    return {found.__name__: tuple(base.__name__ for base in found.__bases__) for found in classes}


def test_the_drawn_tree_is_the_real_one() -> None:
    assert drawn_tree() == real_tree()


def test_everything_has_one_root() -> None:
    assert all(issubclass(getattr(errors, name), HeadwaterError) for name in real_tree())


def test_every_error_says_when_it_comes() -> None:
    assert [name for name in real_tree() if not inspect.getdoc(getattr(errors, name))] == []


def test_a_rejection_carries_its_reason() -> None:
    rejection = EventRejected("the draft is sealed as v3. Take a new id.", reason=Reason.DRAFT_SEALED)

    assert rejection.reason is Reason.DRAFT_SEALED
    assert str(rejection) == "the draft is sealed as v3. Take a new id."


def test_reasons_are_stored_so_their_values_are_final() -> None:
    assert {reason.name.lower().replace("_", "-") for reason in Reason} == {reason.value for reason in Reason}
    assert set(Reason) >= {
        "sequence-gap",
        "invalid",
        "type-mismatch",
        "base-mismatch",
        "base-unknown",
        "draft-unknown",
        "draft-sealed",
        "draft-discarded",
        "path-unknown",
        "path-conflict",
        "digest-mismatch",
        "version-unknown",
        "version-deleted",
        "alias-moved",
        "alias-held",
        "blob-condemned",
        "not-permitted",
    }


PAYLOAD = codec.encode(SAMPLES["version-committed", 1])

BAD: dict[str, Callable[[], Any]] = {
    "name": lambda: names.check_name("a b", "project"),
    "name that is no text": lambda: names.check_name(5, "project"),
    "alias": lambda: names.check_alias("v1"),
    "type": lambda: names.check_type("\n"),
    "collection": lambda: names.CollectionName.parse("a"),
    "reference": lambda: names.ArtifactReference.parse("a/b/c/d"),
    "path upwards": lambda: paths.normalize("../a"),
    "path with a control character": lambda: paths.normalize("a\nb"),
    "long path": lambda: paths.normalize("x" * 300),
    "metadata": lambda: metadata.encode({"a": float("nan")}),
    "metadata key": lambda: metadata.encode({"a": {1: 1}}),
    "metadata text": lambda: metadata.decode("{"),
    "metadata spelling": lambda: metadata.decode('{"a": 1}'),
    "cut": lambda: positions.Cut.decode("x"),
    "session": lambda: keys.event_id("x", "run:a/b/c", 0),
    "algorithm": lambda: digests.check_algorithm("md5"),
    "stored digest": lambda: digests.to_text(b"\x09"),
    "columns": lambda: entries.FileEntries(
        paths=["a"], digests=b"", sizes=[], objects=[], object_indexes=[], offsets=[]
    ).check(),
    "too large event": lambda: codec.encode(Stamped(ORIGIN, large_event())),
    "unwritable event": lambda: codec.encode(Stamped(ORIGIN, unwritable_event())),
    "no event": lambda: codec.decode(b"x"),
    "unknown schema": lambda: codec.decode(PAYLOAD[:2] + bytes(8)),
    "event with nothing in it": lambda: codec.decode(PAYLOAD[:10]),
    "event cut short": lambda: codec.decode(PAYLOAD[:-1]),
    "event with no such choice": lambda: codec.decode(PAYLOAD[:-2] + b"\x7f\x00"),
    "event with more": lambda: codec.decode(PAYLOAD + b"x"),
    "event with broken text": lambda: codec.decode(PAYLOAD.replace(b"ada", b"\xff\xff\xff")),
    "event in no year": lambda: codec.decode(PAYLOAD[:45] + b"\xff" * 8 + b"\x7f" + PAYLOAD[53:]),
}
_CLASS_NAMES = {
    *real_tree(),
    *(name for name, found in vars(builtins).items() if isinstance(found, type) and issubclass(found, BaseException)),
}


def large_event() -> EntryRemoved:
    return EntryRemoved(collection="e/p/c", draft="own:1", paths=("x" * EVENT_BYTES_MAX,))


def unwritable_event() -> EntryRemoved:
    nothing: Any = None
    return EntryRemoved(collection="e/p/c", draft="own:1", paths=nothing)


@pytest.mark.parametrize("raise_it", BAD.values(), ids=BAD.keys())
def test_a_message_is_a_sentence_and_names_no_class(raise_it: Callable[[], Any]) -> None:
    with pytest.raises(HeadwaterError) as caught:
        raise_it()

    message = str(caught.value)
    assert set(re.findall(r"\w+", message)) & _CLASS_NAMES == set()
    assert len(message.split()) >= 5
    assert message.endswith(".")


PACKAGES = [*(f"headwater_{name}" for name in ("runtime", "eventlog", "blobs", "producer", "consumer")), "headwater"]
MADE: list[HeadwaterError] = [
    errors.Differences("folder", ["a"], ["b"], ["c"], ["d"]),
    EventRejected("it moved.", reason=Reason.ALIAS_MOVED),
    RecordsGone("they are gone.", partition=3),
    errors.NotFound("it is not there."),
]


def every_kind() -> Iterator[type[HeadwaterError]]:
    """Every class of errors, also those that packages have of their own."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
    classes = [HeadwaterError]
    while classes:
        yield (kind := classes.pop())
        classes += kind.__subclasses__()


def of_kind(kind: type[HeadwaterError]) -> HeadwaterError:
    """One with a message and a field, however the class is called."""
    error = kind.__new__(kind, "a text.")
    error.__dict__["field"] = {"of": ["any", "kind"]}
    return error


def test_every_error_survives_pickling_and_copying_with_its_fields() -> None:
    for error in [*MADE, *map(of_kind, every_kind())]:
        error.add_note("while testing")
        for again in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
            assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize(("count", "rest"), [(1, ""), (20, ""), (21, ", …"), (1000, ", …")])
def test_differences_name_the_first_paths_and_say_where_there_are_more(count: int, rest: str) -> None:
    paths = [f"{number:04}" for number in range(count)]

    differences = errors.Differences("out", [], paths, ["extra"])

    shown = ", ".join(map(repr, paths[:20]))
    assert f"{count:,} changed: {shown}{rest}; 1 not in the version: 'extra'." in str(differences)
    assert (differences.missing, differences.changed, differences.extra) == ([], paths, ["extra"])
