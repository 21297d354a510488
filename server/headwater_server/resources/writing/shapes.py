"""The shapes of what is written, and of the answers to that."""

from datetime import datetime
from typing import Annotated, Any, Literal

from headwater_schemas.limits import ENTRIES_PER_EVENT_MAX, TAGS_MAX
from pydantic import Field

from headwater_server.resources.models import Answer, Version
from headwater_server.typed_bodies import Body

FILES_MAX = 4 * ENTRIES_PER_EVENT_MAX  # of one commit; more come by a client of this project

Names = Annotated[list[str], Field(max_length=TAGS_MAX, default_factory=list)]
Json = dict[str, Any]
Values = Annotated[Json, Field(default_factory=dict)]


class Upload(Body):
    """What uploading a content answered, as it was."""

    receipt: str
    digest: str | None = None
    size: int | None = None


class File(Body):
    """A file of the new version. Its content is given in exactly one of `text`, `base64`, `upload` and `digest`."""

    path: str
    text: str | None = Field(None, description="The content, as UTF-8.")
    base64: str | None = Field(None, description="The content, in base 64.")
    upload: Upload | None = Field(None, description="What uploading the content answered.")
    digest: str | None = Field(None, description="Of content that a version of this project has.")
    executable: bool = False


class ReferenceTo(Body):
    """A path of the new version whose content is elsewhere."""

    path: str
    uri: str
    checksum: str | None = None
    size_bytes: int | None = Field(None, ge=0, lt=2**63)
    object_version: str | None = None


class Commit(Body):
    """A new version: its files, or what changes from the version `base`."""

    type: str = Field(examples=["dataset"])
    files: list[File] = Field(default_factory=list, max_length=FILES_MAX)
    references: list[ReferenceTo] = Field(default_factory=list, max_length=FILES_MAX)
    base: str | None = Field(None, description="Begin with the entries of this version: a number or an alias.")
    remove: list[str] = Field(
        default_factory=list, max_length=FILES_MAX, description="Paths and folders of `base` to leave out."
    )
    description: str | None = None
    metadata: Json | None = None
    aliases: Names
    tags: Names
    ttl_seconds: int | None = Field(None, ge=0, lt=2**63)
    run: str | None = Field(None, description="The run of this project that made it.")
    expect_latest: str | None = Field(None, description='Only while `latest` is this version; "none": only the first.')


class AliasTarget(Body):
    """Where an alias goes."""

    version: str = Field(description="A number or an alias.", examples=["v3"])
    expect: str | None = Field(None, description='Only while it is on this version; "none": only if it is new.')


class Description(Body):
    """What to change of a version: only what is given."""

    description: str | None = Field(None, description='"" removes it.')
    metadata: Json | None = Field(None, description="Replaces all.")
    metadata_patch: Json | None = Field(None, description="Is merged into it (RFC 7396).")
    add_tags: Names
    remove_tags: Names
    ttl_seconds: int | None = Field(None, ge=0, lt=2**63, description="0 removes it.")


class Recall(Body):
    """Why a version must not be used any more."""

    reason: str


class RunStart(Body):
    """A run that begins, or goes on."""

    id: str | None = Field(None, description="By default a new one.", examples=["train-7"])
    job_type: str | None = None
    group: str | None = None
    display_name: str | None = None
    config: Values
    tags: Names


class RunChange(Body):
    """Values of a run, by name: each replaces the one of the same name."""

    config: Json | None = None
    summary: Json | None = None


class RunEnd(Body):
    """How a run ended."""

    state: Literal["finished", "failed", "killed"] = "finished"
    summary: Json | None = None


class Use(Body):
    """A version that a run uses."""

    artifact: str = Field(examples=["images:latest"], description="name:version, or entity/project/name:version.")
    use_as: str | None = Field(None, description="What for.", examples=["training data"])


class NewGrant(Body):
    """A role that somebody is given."""

    scope: str = Field(description="An entity, with all its projects, or entity/project.", examples=["team/vision"])
    principal: str = Field(description="issuer|subject.", examples=["headwater|ana"])
    role: str = Field(description="reader, writer, maintainer or admin.", examples=["writer"])


class NewToken(Body):
    """A token to make."""

    name: str = Field(description="Whose it is: the principal is headwater|NAME.", examples=["ana"])
    scope: str = Field(description="Where it gives what its principal was granted.", examples=["team/vision"])
    role: str | None = Field(None, description="Grant this there, too, unless it has it already.")
    expires_seconds: int | None = Field(None, ge=1, le=10**12, description="From now on; null: never.")


class Written(Answer):
    """A write that counts, or will: it is on the log."""

    cut: str = Field(description="Pass it as `not_before` to read what was written.")
    done: bool = Field(description="false: its outcome was not known in time.")


class Committed(Written):
    """A commit."""

    version: Version | None = Field(description="null: it is not known yet.")
    deduplicated: bool = Field(description="The version was there already, with the same content.")


class Used(Written):
    """A use of a version."""

    artifact: str = Field(description="What the name meant.")


class Started(Written):
    """A run that began."""

    run: str


class TokenMade(Written):
    """A token, which is told this once."""

    token: str = Field(description="The secret.")
    id: str
    scope: str
    principal: str
    role: str | None = Field(description="That the principal has in exactly this scope.")
    expires: datetime | None
