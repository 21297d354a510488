"""What is to be committed: a snapshot of an artifact, taken when it is logged."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater_schemas.events import ExpectedVersion

from headwater._content.attributes import VersionAttributes
from headwater._content.content import Content
from headwater._ingest.content_sources import ContentSources

if TYPE_CHECKING:
    from headwater_producer.stager import BlobStager

    from headwater._commit.pending_version import PendingVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitRecord:
    """What a version will be, or a part of a shared draft."""

    collection: str  # "entity/project/name"
    type: str
    content: Content
    deferred: Mapping[str, str]  # path → local file that is read when the record is sent
    sources: ContentSources  # of the content
    attributes: VersionAttributes
    aliases: tuple[str, ...] = ()  # that the caller asked for, besides those of `attributes`
    expect_latest: ExpectedVersion | None = None  # commit only if `latest` is this version
    stager: "BlobStager"  # where the bytes are staged
    part: "PendingVersion | None" = None  # the artifact was upserted to the draft that it finishes, as this part of it
