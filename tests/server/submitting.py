"""A client that writes by hand: it can say of its events whatever it likes."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from headwater_schemas import codec, digests
from headwater_schemas.access import ANYBODY
from headwater_schemas.entries import FileEntries
from headwater_schemas.events import (
    DraftOpened,
    EntryAdded,
    Event,
    Origin,
    SettingsChanged,
    Stamped,
    VersionCommitted,
    own_draft,
)
from headwater_schemas.keys import new_session
from headwater_schemas.submissions import Contents, Submission

from tests.support.serving import Answer, ServerProcess

ALGORITHM = "blake3"
PROJECT = "team/vision"
NOWHERE = f"packs/{PROJECT}/{'a' * 32}"


def digest_of(content: bytes) -> bytes:
    """In the stored form."""
    return digests.pack(ALGORITHM, digests.one_shot(ALGORITHM)(content))


def files(contents: dict[str, bytes], *, objects: Sequence[str] = (NOWHERE,), offset: int = 0) -> FileEntries:
    """Entries by path, said to be in one object."""
    return FileEntries.of_columns(
        ALGORITHM,
        contents,
        [digest_of(content) for content in contents.values()],
        [len(content) for content in contents.values()],
        [objects[0]] * len(contents),
        [offset] * len(contents),
    )


def draft_of(owner: str) -> str:
    """The id of a draft that this principal alone may write to."""
    return own_draft(new_session(owner=owner))


class Writer:
    """A session of one principal."""

    def __init__(self, owner: str = ANYBODY, *, session: str | None = None) -> None:
        self.owner = owner
        self.session = session or new_session(owner=owner)
        self.author = "mallory@nowhere"
        self._sequences = Counter[str]()

    def encoded(self, *events: Event, sequence: int | None = None) -> list[bytes]:
        """Events as they are sent, numbered."""
        found = []
        for event in events:
            number = self._sequences[event.key] if sequence is None else sequence
            self._sequences[event.key] += 1
            origin = Origin(session=self.session, sequence=number, clock=datetime.now(UTC), author=self.author)
            found.append(codec.encode(Stamped(origin, event)))
        return found

    def commit(self, name: str, contents: dict[str, bytes], **more: Any) -> list[Event]:
        """The events of one version."""
        collection, draft = f"{PROJECT}/{name}", draft_of(self.owner)
        return [
            DraftOpened(collection=collection, draft=draft, type="dataset"),
            EntryAdded(collection=collection, draft=draft, files=files(contents, **more)),
            VersionCommitted(collection=collection, draft=draft),
        ]


def claim(project: str = PROJECT) -> SettingsChanged:
    """What makes a project, with its digest algorithm."""
    return SettingsChanged(project=project, settings='{"digest_algorithm":"blake3"}')


def submit(
    server: ServerProcess,
    events: Sequence[bytes],
    contents: Sequence[bytes] = (),
    *,
    project: str = PROJECT,
    token: str | None = None,
    wait_s: float = 10.0,
) -> Answer:
    """Send events, with contents of one project."""
    along = [Contents(project, ALGORITHM, list(contents))] if contents else []
    body = Submission(events=list(events), contents=along, wait_s=wait_s).encode()
    return server.ask("POST", "/v1/submit", body, token=token)
