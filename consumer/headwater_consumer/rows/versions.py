"""Rows about versions: what was sealed, the layers it consists of, and the attributes that can still change."""

from dataclasses import dataclass

from headwater_consumer.rows.base import ProjectionRow, row
from headwater_consumer.rows.layer_chain import LayerChain, parse_chain

DESCRIPTION, METADATA, TTL = "description", "metadata", "ttl"
DELETED, PURGED, RECALLED = "deleted", "purged", "recalled"
IMPORTED = "imported"  # its value: see `headwater_schemas.provenance`


@row(key=("collection",))
@dataclass(frozen=True, slots=True)
class CollectionRow(ProjectionRow):
    """All versions of one artifact name. It exists from its first commit on."""

    collection: str
    project: str  # "entity/project"
    type: str
    next_version: int
    created_position: int
    created_us: int


@row(key=("collection", "version"))
@dataclass(frozen=True, slots=True)
class VersionRow(ProjectionRow):
    """One sealed version."""

    collection: str
    version: int
    digest: str
    sum_state: bytes
    entry_count: int
    size_bytes: int
    layers: str  # see `layer_chain`
    base: int | None
    draft: str
    run: str | None  # the first run that logged it
    contested_count: int  # paths that different writers of its draft wrote
    position: int
    created_us: int
    append_us: int  # the same by the log's clock, which may go back
    clock_us: int  # the writer's own clock
    author: str
    message: str | None

    def chain(self) -> LayerChain:
        """Its layers, topmost first."""
        return parse_chain(self.layers)


@row(key=("layer", "collection", "version"))
@dataclass(frozen=True, slots=True)
class VersionLayerRow(ProjectionRow):
    """A layer is part of a version's chain: leads from an entry to the versions that may contain it."""

    layer: int
    collection: str
    version: int


@row(key=("collection", "version", "path"))
@dataclass(frozen=True, slots=True)
class ContestedPathRow(ProjectionRow):
    """A path that different writers of one draft wrote; the last event counted."""

    collection: str
    version: int
    path: str


@row(key=("collection", "digest"))
@dataclass(frozen=True, slots=True)
class VersionDigestRow(ProjectionRow):
    """The live version of a collection that has this content, if any."""

    collection: str
    digest: str
    version: int | None


@row(key=("collection", "alias"))
@dataclass(frozen=True, slots=True)
class AliasRow(ProjectionRow):
    """Fact: which version an alias points to."""

    collection: str
    alias: str
    version: int
    from_position: int
    to_position: int | None


@row(key=("collection", "version", "tag"))
@dataclass(frozen=True, slots=True)
class TagRow(ProjectionRow):
    """Fact: a version has a tag."""

    collection: str
    version: int
    tag: str
    from_position: int
    to_position: int | None


@row(key=("collection", "version", "field"))
@dataclass(frozen=True, slots=True)
class VersionAttributeRow(ProjectionRow):
    """Fact: an attribute of a version. A field without an open row has its empty value."""

    collection: str
    version: int
    field: str  # one of the constants above
    value: str  # text; canonical JSON for metadata; seconds for ttl; "" for deleted and purged; the reason for recalled
    from_position: int
    to_position: int | None


@row(key=("collection", "version"))
@dataclass(frozen=True, slots=True)
class VersionUpdateRow(ProjectionRow):
    """Fact: when an alias, a tag or an attribute of a version last changed. Without an open row: never."""

    collection: str
    version: int
    time_us: int  # append time of the event
    from_position: int
    to_position: int | None
