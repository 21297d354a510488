"""Contents that arrive in several requests, at whichever server: how far each has come, and who receives it now.

One request at a time holds an upload, by a lease of its own kind: it ends with the request, or by itself soon after its
server is gone. What a request writes down names its fence, so that one which was away for too long changes nothing.

An upload that is complete stays known for a while: for the client to whom the answer got lost.
"""

import secrets
from dataclasses import dataclass, replace
from typing import Any

from headwater_schemas.errors import StoreUnavailable

from headwater_consumer.operational.database import OperationalDatabase

EXPIRES_S = 20 * 3600  # after its last byte; MinIO drops uploads of its own by itself after 24 hours
RESTS_S = 600  # since its last byte: then it may be given up for a newer one of the same principal
HELD_S = 10.0  # after so long without a word of its holder, another request gets it
RENEW_S = 2.5  # between renewals: some may fail
COMPLETE_MAX = 1_000  # uploads of one principal in one project that stay known though they are complete

_US = 1_000_000
_SAID = "said:"  # before a digest that a client said, in `content`; else there is the upload's own id
_COLUMNS = """
    id, principal, project, content, size, algorithm, received, kept, object_name, digest, fence,
    held_until_us > NOW_US, (expires_us - NOW_US) / 1000000
"""


class UploadTaken(StoreUnavailable):
    """Another request holds the upload by now, or it was given up. Nothing more may be written down in its name."""

    def __init__(self, upload_id: str) -> None:
        super().__init__(f"the upload {upload_id} was taken over by another request, or given up. Ask how far it is.")


@dataclass(frozen=True, slots=True)
class PartialUpload:
    """One content, as far as it has arrived."""

    id: str
    principal: str  # who sends it; nobody else may know of it
    project: str  # "entity/project"
    content: str  # what it will be, see `expected`
    size: int  # bytes that it will have
    algorithm: str  # of its digest
    received: int  # bytes of it that are kept
    kept: str  # how the store goes on after them; opaque here, "" where it begins anew
    object_name: str  # the object that has all of it; "" until then
    digest: str  # of that object, as text; "" until it is known, and then the upload is complete
    fence: int  # the number of the request that holds it, or held it last
    is_held: bool  # by a request
    expires_in_s: int

    @property
    def expected(self) -> str | None:
        """Its digest as text, where its client said it."""
        return self.content.removeprefix(_SAID) if self.content.startswith(_SAID) else None


# --- for who sends --------------------------------------------------------------------------------------------------


def begin_upload(
    database: OperationalDatabase,
    principal: str,
    project: str,
    *,
    size: int,
    algorithm: str,
    expected: str | None,
    most: int,
) -> PartialUpload | None:
    """A new upload, or the one that the same principal began for the same digest and size, wherever that is by now.

    None where it has `most` in this project that are not complete. Raises: StoreError.
    """
    upload_id = secrets.token_hex(16)
    content = upload_id if expected is None else _SAID + expected
    with database.transaction() as statements:
        of = (principal, project)
        ((count,),) = statements.rows(_COUNT, *of)
        if count < most:
            statements.run(_ADD, upload_id, *of, content, size, algorithm, EXPIRES_S * _US)
        statements.run(_TRIM, *of, *of, COMPLETE_MAX)
        statements.run(_TOUCH, EXPIRES_S * _US, *of, content, size)
        row = statements.first(_FIND_CONTENT, *of, content, size)
    return None if row is None else _upload(row)


def find_upload(database: OperationalDatabase, upload_id: str, *, principal: str, project: str) -> PartialUpload | None:
    """An upload of this principal. Raises: StoreError."""
    with database.statement() as statements:
        row = statements.first(_FIND, upload_id, principal, project)
    return None if row is None else _upload(row)


# --- for the request that holds it ----------------------------------------------------------------------------------


def take_upload(database: OperationalDatabase, upload_id: str) -> PartialUpload | None:
    """Hold an upload; None while another request does, or it is gone. Raises: StoreError."""
    with database.statement() as statements:
        row = statements.first(_TAKE, _HELD_US, upload_id)
    return None if row is None else _upload(row)


def renew_upload(database: OperationalDatabase, upload: PartialUpload) -> None:
    """Hold it for longer; nothing if another request holds it by now. Raises: StoreError."""
    with database.statement() as statements:
        statements.run(_RENEW, _HELD_US, upload.id, upload.fence)


def note_kept(database: OperationalDatabase, upload: PartialUpload, *, received: int, kept: str) -> None:
    """So much of it is kept. Raises: UploadTaken, StoreError."""
    _note(database, upload, _NOTE_KEPT, received, kept)


def note_object(database: OperationalDatabase, upload: PartialUpload, object_name: str, *, digest: str) -> None:
    """This object has all of it; "" as `digest` until it is known. Raises: UploadTaken, StoreError."""
    _note(database, upload, _NOTE_OBJECT, object_name, digest)


def release_upload(database: OperationalDatabase, upload: PartialUpload) -> None:
    """Let another request have it; nothing if one has. Raises: StoreError."""
    with database.statement() as statements:
        statements.run(_RELEASE, upload.id, upload.fence)


def forget_upload(database: OperationalDatabase, upload: PartialUpload) -> None:
    """It is known no more. Raises: UploadTaken, StoreError."""
    with database.statement() as statements:
        if not statements.run(_FORGET, upload.id, upload.fence):
            raise UploadTaken(upload.id)


def rested_upload(database: OperationalDatabase, principal: str, project: str) -> str | None:
    """The id of the upload that rests longest, of those that no request holds. Raises: StoreError."""
    with database.statement() as statements:
        row = statements.first(_RESTED, principal, project, (EXPIRES_S - RESTS_S) * _US)
    return None if row is None else str(row[0])


# --- for maintenance ------------------------------------------------------------------------------------------------


def expired_uploads(database: OperationalDatabase, *, limit: int) -> list[str]:
    """Ids of uploads that have expired, and that no request holds. Raises: StoreError."""
    with database.statement() as statements:
        return [str(upload_id) for (upload_id,) in statements.rows(_EXPIRED, limit)]


def _note(database: OperationalDatabase, upload: PartialUpload, sql: str, *values: object) -> None:
    with database.statement() as statements:
        if not statements.run(sql, *values, EXPIRES_S * _US, upload.id, upload.fence):
            raise UploadTaken(upload.id)


def _upload(row: tuple[Any, ...]) -> PartialUpload:
    upload = PartialUpload(*row)
    return replace(upload, is_held=bool(upload.is_held))  # a number on SQLite


# --- statements -------------------------------------------------------------------------------------------------

_HELD_US = int(HELD_S * _US)
_COUNT = "SELECT count(*) FROM partial_uploads WHERE principal = ? AND project = ? AND digest = ''"
_ADD = """
    INSERT INTO partial_uploads (
        id, principal, project, content, size, algorithm, received, kept, object_name, digest, fence, held_until_us,
        expires_us
    ) VALUES (?, ?, ?, ?, ?, ?, 0, '', '', '', 0, 0, NOW_US + ?)
    ON CONFLICT (principal, project, content, size) DO NOTHING
"""
_TRIM = """
    DELETE FROM partial_uploads WHERE principal = ? AND project = ? AND digest <> '' AND id NOT IN (
        SELECT id FROM partial_uploads WHERE principal = ? AND project = ? AND digest <> ''
        ORDER BY expires_us DESC LIMIT ?
    )
"""
_TOUCH = """
    UPDATE partial_uploads SET expires_us = NOW_US + ?
    WHERE principal = ? AND project = ? AND content = ? AND size = ?
"""
_FIND_CONTENT = f"""
    SELECT {_COLUMNS} FROM partial_uploads WHERE principal = ? AND project = ? AND content = ? AND size = ?
"""  # noqa: S608 - of ours; so are the next two
_FIND = f"SELECT {_COLUMNS} FROM partial_uploads WHERE id = ? AND principal = ? AND project = ?"  # noqa: S608
_TAKE = f"""
    UPDATE partial_uploads SET fence = fence + 1, held_until_us = NOW_US + ?
    WHERE id = ? AND held_until_us <= NOW_US RETURNING {_COLUMNS}
"""  # noqa: S608
_RENEW = "UPDATE partial_uploads SET held_until_us = NOW_US + ? WHERE id = ? AND fence = ? AND held_until_us > 0"
_NOTE_KEPT = "UPDATE partial_uploads SET received = ?, kept = ?, expires_us = NOW_US + ? WHERE id = ? AND fence = ?"
_NOTE_OBJECT = """
    UPDATE partial_uploads SET object_name = ?, digest = ?, received = size, kept = '', expires_us = NOW_US + ?
    WHERE id = ? AND fence = ?
"""
_RELEASE = "UPDATE partial_uploads SET held_until_us = 0 WHERE id = ? AND fence = ?"
_FORGET = "DELETE FROM partial_uploads WHERE id = ? AND fence = ?"
_RESTED = """
    SELECT id FROM partial_uploads
    WHERE principal = ? AND project = ? AND digest = '' AND held_until_us <= NOW_US AND expires_us <= NOW_US + ?
    ORDER BY expires_us LIMIT 1
"""
_EXPIRED = """
    SELECT id FROM partial_uploads WHERE expires_us <= NOW_US AND held_until_us <= NOW_US ORDER BY expires_us LIMIT ?
"""
