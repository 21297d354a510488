"""The members of an export, and the Avro schemas of the records in them."""

from typing import Any

import fastavro
from headwater_consumer.queries.differences import EntryContent
from headwater_schemas import digests
from headwater_schemas.entries import Reference, file_leaves, reference_leaf

KIND, FORMAT = "headwater export", 1
MANIFEST, COMPLETE = "headwater-export.json", "complete.json"  # the first member, and the last
VERSIONS, RUNS, USES, ALIASES = "versions.avro", "runs.avro", "uses.avro", "aliases.avro"
SCHEMAS = "schemas"  # a folder: the schema of each record

Plain = dict[str, Any]


def folder_of(number: int) -> str:
    """Of the members that come with a version."""
    return f"versions/{number:06}"


def listing_member(number: int) -> str:
    """The entries of a version, or how they differ from those of another."""
    return f"{folder_of(number)}/entries.avro"


def contents_member(number: int, part: int) -> str:
    """Small contents that come with a version."""
    return f"{folder_of(number)}/contents-{part:04}.avro"


def large_member(number: int, digest: bytes) -> str:
    """A large content that comes with a version."""
    return f"{folder_of(number)}/{digests.to_text(digest).replace(':', '-')}"


def _schema(name: str, **fields: Any) -> Plain:
    described = [{"name": field, "type": kind} for field, kind in fields.items()]
    return {"type": "record", "name": f"headwater.export.{name}", "fields": described}


def _optional(kind: Any) -> list[Any]:
    return ["null", kind]


def _list(kind: Any) -> Plain:
    return {"type": "array", "items": kind}


_CONTENT = _schema(
    "EntryContent",
    size=_optional("long"),
    digest=_optional("bytes"),
    uri=_optional("string"),
    checksum=_optional("string"),
    object_version=_optional("string"),
    executable="boolean",
)
_ORIGIN = _schema("Origin", store="string", version="string", author="string", time_us="long")
SCHEMA_OF: dict[str, Plain] = {
    "version": _schema(
        "Version",
        number="long",
        collection="string",
        version="long",
        type="string",
        digest="string",
        entries="long",
        size="long",
        base=_optional("long"),
        complete="boolean",
        origin=_ORIGIN,
        runs=_list("string"),
        description=_optional("string"),
        metadata="string",
        tags=_list("string"),
        ttl_seconds=_optional("long"),
        deleted="boolean",
        recalled=_optional("string"),
        message=_optional("string"),
    ),
    "run": _schema(
        "Run",
        run="string",
        job_type=_optional("string"),
        group=_optional("string"),
        display_name=_optional("string"),
        config="string",
        summary="string",
        tags=_list("string"),
        state="string",
        author="string",
        started_us="long",
        finished_us=_optional("long"),
    ),
    "use": _schema(
        "Use", run="string", collection="string", version="long", requested=_list("string"), use_as=_list("string")
    ),
    "alias": _schema(
        "AliasMove",
        collection="string",
        alias="string",
        version=_optional("long"),
        time_us="long",
        author="string",
        message=_optional("string"),
    ),
    "entry": _schema(
        "Entry", path="string", before=_optional(_CONTENT), after=_optional("headwater.export.EntryContent")
    ),
    "content": _schema("Content", digest="bytes", content="bytes"),
}
PARSED = {name: fastavro.parse_schema(schema) for name, schema in SCHEMA_OF.items()}


def leaf_of(path: str, entry: EntryContent) -> bytes:
    """The canonical leaf of an entry, of which the version's digest is made."""
    if entry.digest is None:
        assert entry.uri is not None
        return reference_leaf(Reference(path, entry.uri, entry.checksum, entry.size, entry.object_version))
    return file_leaves([path], [entry.digest], [entry.size or 0], [0] if entry.executable else ())[0]
