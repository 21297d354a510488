"""The address of every page, and what an address asks for. Templates link by these functions alone.

An address that ends with `.json` asks for the data of the page without that ending. So the address of something whose
own name ends so has a slash at its end: `/p/team/a.json/` is a page, `/p/team/a.json.json` its data.
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

from headwater_schemas.names import CollectionName, RunName

HOME = "/"
SIGN_IN, SIGN_OUT = "/signin", "/signout"
SEARCH = "/search"
SUGGESTIONS = f"{SEARCH}/begins"
LIVE = "/live"
STATIC = "/static"
PROJECT = "/p/{entity}/{project}"
RUNS = f"{PROJECT}/r"
RUN = f"{RUNS}/{{run}}"
RUN_LINEAGE = f"{RUN}/lineage"
FEED = f"{PROJECT}/feed"
COLLECTION = f"{PROJECT}/a/{{name}}"
VERSION = f"{COLLECTION}/{{selector}}"
FILE = f"{VERSION}/file/{{path:path}}"
LINEAGE = f"{VERSION}/lineage"
DIFF = f"{PROJECT}/d/{{name}}"  # beside the versions: an alias may be called "diff"
METADATA = f"{PROJECT}/m/{{name}}"
SPACE = f"{PROJECT}/space"
COLLECTION_SPACE = f"{PROJECT}/s/{{name}}"

DATA = ".json"
MERMAID, DOT = ".mmd", ".dot"  # a lineage in other languages
NEXT_LENGTH_MAX = 4096  # characters of an address to go on to
_SAFE = "-._~!$'()*+,;=@"  # in a part of a path, as RFC 3986 has it, without what HTML or readers could mistake
_OWN = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")  # ASCII, as we write addresses; browsers take "\" for "/"

Query = Mapping[str, str | int | Sequence[str] | None]


def parted(path: str) -> tuple[str, bool]:
    """The path of a page, and whether its data is asked for."""
    if path.endswith(DATA):
        return path[: -len(DATA)] or HOME, True
    return (path[:-1], False) if len(path) > 1 and path.endswith("/") else (path, False)


def data_of(address: str) -> str:
    """The address of a page's data."""
    path, mark, query = address.partition("?")
    return (path if path == HOME else path.rstrip("/")) + DATA + mark + query


def is_own(address: str) -> bool:
    """Whether an address that somebody sent leads to this server alone, wherever a browser resolves it."""
    return len(address) <= NEXT_LENGTH_MAX and _OWN.fullmatch(address) is not None


def project(name: str, **query: str | int | None) -> str:
    """Of "entity/project"."""
    return _address("p", *name.split("/"), query=query)


def collection(name: str, **query: str | int | None) -> str:
    """Of "entity/project/name"."""
    return _address(*_collection("a", name), query=query)


def version(collection_name: str, selector: int | str, **query: str | int | None) -> str:
    """Of one version, by its number, "v3" or an alias; `path` opens the tree of its files there."""
    return _address(*_version(collection_name, selector), query=query)


def file(collection_name: str, selector: int | str, path: str, **query: str | int | None) -> str:
    """Of the preview of a file."""
    return _address(*_version(collection_name, selector), "file", *path.split("/"), query=query)


def lineage(collection_name: str, selector: int | str, **query: str | int | None) -> str:
    """Of the lineage around a version."""
    return _address(*_version(collection_name, selector), "lineage", query=query)


def diff(collection_name: str, **query: str | int | None) -> str:
    """Of what differs between two versions: `from_` and `to`."""
    return _address(*_collection("d", collection_name), query={key.rstrip("_"): query[key] for key in query})


def metadata(collection_name: str, **query: str | int | Sequence[str] | None) -> str:
    """Of the metadata of its versions: each `column` is a key that the table has, and `plot` one that is drawn."""
    return _address(*_collection("m", collection_name), query=query)


def space(project_name: str) -> str:
    """Of what takes up room in "entity/project"."""
    return _address("p", *project_name.split("/"), "space", query={})


def collection_space(collection_name: str) -> str:
    """Of what takes up room in a collection."""
    return _address(*_collection("s", collection_name), query={})


def runs(project_name: str, **query: str | int | None) -> str:
    """Of the runs of "entity/project"."""
    return _address("p", *project_name.split("/"), "r", query=query)


def run(name: str, **query: str | int | None) -> str:
    """Of "entity/project/ID"."""
    return _address(*_run(name), query=query)


def run_lineage(name: str, **query: str | int | None) -> str:
    """Of the lineage around a run."""
    return _address(*_run(name), "lineage", query=query)


def feed(project_name: str, **query: str | int | None) -> str:
    """Of what changed in "entity/project" since a moment, or an alias."""
    return _address("p", *project_name.split("/"), "feed", query=query)


def search(**query: str | int | None) -> str:
    """Of a search."""
    return _address("search", query=query)


def sign_in(next_: str, **query: str | int | None) -> str:
    """Of the form for a token, which then leads on."""
    return _address("signin", query={**query, "next": None if next_ == HOME else next_})


def _collection(kind: str, name: str) -> tuple[str, ...]:
    parts = CollectionName.parse(name)
    return "p", parts.entity, parts.project, kind, parts.name


def _version(collection_name: str, selector: int | str) -> tuple[str, ...]:
    return *_collection("a", collection_name), f"v{selector}" if isinstance(selector, int) else selector


def _run(name: str) -> tuple[str, ...]:
    parts = RunName.parse(name)
    return "p", parts.entity, parts.project, "r", parts.id


def _address(*parts: str, query: Query) -> str:
    path = "".join(f"/{_part(part)}" for part in parts)
    if path.endswith(DATA):
        path += "/"
    given = {key: value for key, value in query.items() if value is not None}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def _part(text: str) -> str:
    """Browsers would take "." and ".." for folders, however they are written; no file or name of ours is called so."""
    return quote(text, safe=_SAFE)
