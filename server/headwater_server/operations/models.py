"""What may be asked of each command, with its bounds. What a field means is what the option of that name means."""

from typing import Literal

from headwater_schemas.keys import RETIRED_AFTER_DAYS_MIN
from headwater_schemas.limits import DRAFT_IDLE_DAYS_MAX, KEEP_NEWER_SECONDS_MAX, NAME_LENGTH_MAX
from pydantic import BaseModel, Field

from headwater_server.typed_bodies import Body

SECONDS_MAX = KEEP_NEWER_SECONDS_MAX
DAYS_MAX = DRAFT_IDLE_DAYS_MAX
PROJECT_LENGTH_MAX = 2 * NAME_LENGTH_MAX + 1
VERSION_LENGTH_MAX = 4 * NAME_LENGTH_MAX + 3
NAMES_MAX = 1000
TARGET_LENGTH_MAX = 1024

Aliases = Literal["keep", "move", "none"]


class Commands(BaseModel):
    """What may be run here."""

    items: list[str] = Field(examples=[["gc", "maintain"]])


class Operation(Body):
    """What every command takes."""

    as_json: bool = Field(False, description="Print JSON.")
    quiet: bool = Field(False, description="Print no progress.")


class Gc(Operation):
    """Free the space of what nothing needs any more."""

    grace_seconds: int | None = Field(
        None, ge=0, le=SECONDS_MAX, description="Keep what was written within this time; null: a day."
    )
    wait_seconds: int | None = Field(
        None, ge=0, le=SECONDS_MAX, description="How long to wait for all partitions of the log; null: 10 minutes."
    )
    dry_run: bool = Field(False, description="Report what would be deleted, and delete nothing.")
    after_loss: bool = Field(False, description="Accept that events which the log lacks are lost for good.")


class Maintain(Operation):
    """Delete what is not kept, and tidy the store."""

    retire_sessions_days: int | None = Field(
        None,
        ge=RETIRED_AFTER_DAYS_MIN,
        le=DAYS_MAX,
        description="End writers' sessions that began longer ago; null: 30 days.",
    )
    heal: bool = Field(False, description="Also store lost content anew, where another object has it.")
    verify: bool = Field(False, description="With `heal`, read all content, and heal what is damaged as well.")
    dry_run: bool = Field(False, description="Report which versions and drafts would go; change nothing.")
    yes: bool = Field(False, description="Delete however much of an artifact a policy deletes: nobody can be asked.")
    project: str | None = Field(
        None,
        max_length=PROJECT_LENGTH_MAX,
        description="Only this ENTITY/PROJECT; null: all.",
        examples=["team/vision"],
    )


class Archive(Operation):
    """Archive the log as Avro files."""

    target: str | None = Field(
        None,
        max_length=TARGET_LENGTH_MAX,
        description="s3://bucket/prefix; null: beside the content of the store.",
        examples=["s3://backups/headwater"],
    )
    trim: bool = Field(False, description="Then delete from Kafka what is archived, verified and projected.")
    keep_seconds: int | None = Field(
        None, ge=0, le=SECONDS_MAX, description="With `trim`, how old events are before they go; null: 7 days."
    )
    check: bool = Field(False, description="Archive nothing: read the archive, and compare it with the log.")


class Export(Operation):
    """Write versions, and all that they were made from, as one file."""

    names: list[str] = Field(
        default_factory=list,
        max_length=NAMES_MAX,
        description="ENTITY/PROJECT/NAME, or such with :VERSION; none, for all of `project`.",
        examples=[["team/vision/model:prod"]],
    )
    project: str | None = Field(
        None, max_length=PROJECT_LENGTH_MAX, description="Everything in this ENTITY/PROJECT, instead of names."
    )
    all_versions: bool = Field(False, description="All versions of each name, instead of the latest.")
    upstream: bool = Field(True, description="With what they were made from.")
