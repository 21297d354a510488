"""The shapes of JSON of webhooks. Field names are those that `headwater webhooks … --json` prints."""

from datetime import datetime
from typing import Annotated

from headwater_schemas.limits import NAME_LENGTH_MAX, TEXT_LENGTH_MAX
from headwater_schemas.webhooks import KINDS_MAX, URL_LENGTH_MAX
from pydantic import BaseModel, Field

from headwater_server.typed_bodies import Body

SCOPE_LENGTH_MAX = 2 * NAME_LENGTH_MAX + 1
CURSOR_LENGTH_MAX = 1 << 20

Name = Annotated[str, Field(max_length=3 * NAME_LENGTH_MAX + 2)]


class WebhookToAdd(Body):
    """Tell this receiver what happens from now on. Events match all that is given."""

    scope: str = Field(max_length=SCOPE_LENGTH_MAX, description="An entity, or entity/project.", examples=["team"])
    url: str = Field(max_length=URL_LENGTH_MAX, examples=["https://example.org/hook"])
    kinds: list[Name] = Field(default=[], max_length=KINDS_MAX, examples=[["alias-moved"]])
    alias: Name | None = Field(default=None, description="Only moves of this alias.", examples=["prod"])
    type: Name | None = Field(default=None, description="Only about artifacts of this type.")
    collection: Name | None = Field(default=None, description="Only about entity/project/name.")


class ReplayFrom(Body):
    """Where to go on."""

    after: str | None = Field(
        default=None,
        max_length=CURSOR_LENGTH_MAX,
        description="`start`, `now`, a time with its zone, or a cut or cursor; null: where it stopped.",
    )


class Rotation(Body):
    """Which secret to replace."""

    rotations: int | None = Field(
        default=None,
        ge=0,
        description="How often it was before: asked again after a lost answer, the same secret is told.",
    )


class HeldBack(BaseModel):
    """A collection or run whose next event the receiver refused."""

    subject: str
    failures: int
    since: datetime
    parked: bool = Field(description="Whether it is tried no more until the webhook is replayed.")


class Webhook(BaseModel):
    """A receiver that is told version events."""

    id: str
    scope: str
    url: str
    kinds: list[str]
    alias: str | None
    type: str | None
    collection: str | None
    made_by: str = Field(description="Whose rights it has.")
    made: datetime = Field(description="When it was added, or changed last.")
    rotations: int
    status: str = Field(description="`active`, or why it is told nothing.")
    reason: str = Field(max_length=TEXT_LENGTH_MAX)
    failures: int = Field(description="In a row, of what was tried last.")
    cursor: str | None = Field(description="How far it was told.")
    held_back: list[HeldBack]


class WebhookWithSecret(Webhook):
    """A webhook that was added or whose secret was replaced."""

    secret: str = Field(description="Shown this once.", examples=["whsec_…"])


class Webhooks(BaseModel):
    """Those of a scope."""

    items: list[Webhook]


class Attempt(BaseModel):
    """What was sent, and answered."""

    number: int
    time: datetime
    event: str
    kind: str
    subject: str
    outcome: str
    status: int | None
    milliseconds: int
    answer: str


class Attempts(BaseModel):
    """The last ones, newest first."""

    items: list[Attempt]


class TestRequested(BaseModel):
    """The test is the attempt of kind `webhook-test` with a greater number."""

    since: int
