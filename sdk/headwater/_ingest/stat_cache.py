"""Unchanged files are not read again: what each file's digest was, by inode, size, mtime and ctime.

One SQLite file for each user. It is a cache: when it is locked, full, damaged, newer or gone, files are read again and
nobody is told. What it does say must be true, so each tree has a checksum over all that is kept of it; one that does
not fit is forgotten as a whole (SQLite runs without fsync here, so a power cut may tear a tree).

A tree's chunks and the sum of its entries change in one transaction, and only if nobody else changed the tree since it
was recalled.

The journal is SQLite's rollback journal, not a WAL: it works on network homes and leaves nothing to fold in at exit.
No connection crosses a fork: all are closed before one, and opened anew when they are needed.
"""

import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakSet

from headwater_runtime import fork_hooks
from headwater_schemas import digests as digest_forms
from xxhash import xxh3_128_digest

from headwater._ingest.scan import CTIME_NS, MTIME_NS, Scan, ScannedFile
from headwater._ingest.scan_diff import Changes, Chunk, Recall, Remembered, Tree, changes, compare, is_settled

if TYPE_CHECKING:  # it imports numpy, which takes longer than all the rest; whoever sums pays for it
    from headwater_schemas.lthash import ContentSum

TREES_MAX = 1024
INDEX_BYTES_MAX = 2 * 1024**3  # about 30 million files
FILES_MAX = 262_144  # files added one by one, and contents of references, about 50 MB; the oldest make room
FILES_PENDING_MAX = 256  # kept in memory before they are written: one transaction for many
BUSY_TIMEOUT_S = 0.5  # others hold the file for milliseconds; after this, reading the files is the better use of time
FAILURES_MAX = 3  # then the index stays out of the way until it is opened anew
USED_TICK_S = 3600  # how exact "least recently used" is: an unchanged tree writes nothing more often than this

_APPLICATION_ID = 0x48574958  # "HWIX"
_FORMAT = 1 if sys.byteorder == "little" else 0x101  # numbers are kept as the machine has them
_CACHE_KIB = 16 * 1024
_CONTENT = b"content:"  # in front of what is no file of this machine, whose locations begin with a slash

# Failures of the surroundings. Any other error means that the file is damaged.
_TRANSIENT = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_SURROUNDINGS = _TRANSIENT | {
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_TOOBIG,
}

_SCHEMA = (
    """
    CREATE TABLE trees (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        root BLOB NOT NULL,
        prefix TEXT NOT NULL,
        algorithm TEXT NOT NULL,
        revision INTEGER NOT NULL,
        state BLOB NOT NULL,
        count INTEGER NOT NULL,
        size_bytes INTEGER NOT NULL,
        checksum BLOB NOT NULL,
        used_s INTEGER NOT NULL,
        UNIQUE (root, prefix, algorithm)
    )
    """,
    """
    CREATE TABLE chunks (
        id INTEGER PRIMARY KEY,
        tree INTEGER NOT NULL,
        folder TEXT NOT NULL,
        names BLOB NOT NULL,
        stats BLOB NOT NULL,
        digests BLOB NOT NULL
    )
    """,
    "CREATE INDEX chunks_of_tree ON chunks (tree)",
    """
    CREATE TABLE files (
        id INTEGER PRIMARY KEY,
        location BLOB NOT NULL,
        algorithm TEXT NOT NULL,
        stats BLOB NOT NULL,
        digest BLOB NOT NULL,
        checksum BLOB NOT NULL,
        UNIQUE (location, algorithm)
    )
    """,
    f"PRAGMA application_id = {_APPLICATION_ID}",
    f"PRAGMA user_version = {_FORMAT}",
)

_Result = TypeVar("_Result")
_TreeKey = tuple[bytes, str, str]  # root, prefix, algorithm
_FileKey = tuple[bytes, str]  # location, algorithm
_FileRow = tuple[bytes, bytes]  # stats, digest in its stored form


class _Unusable(Exception):
    """What is at the index's place was made by another release or another program; it is left alone."""


class StatIndex:
    """The index in one file, for any number of processes and threads, also across a fork.

    No method raises for what may have happened to the file.
    """

    def __init__(self, file: str, trees_max: int, bytes_max: int) -> None:
        self._file = file
        self._trees_max = trees_max
        self._bytes_max = bytes_max
        self._connection: sqlite3.Connection | None = None
        self._failures = 0
        self._pending: dict[_FileKey, _FileRow] = {}
        with _lock:
            _indexes.add(self)

    @classmethod
    def open(
        cls, file: str | os.PathLike[str], *, trees_max: int = TREES_MAX, bytes_max: int = INDEX_BYTES_MAX
    ) -> "StatIndex":
        """The index kept in `file`, which is made when it is first needed. Least recently used trees make room."""
        return cls(os.path.abspath(file), trees_max, bytes_max)

    def recall(self, scan: Scan, algorithm: str) -> Recall:
        """What is known about `scan`'s files from the last time that its root was remembered with its prefix."""
        key = _key_of(scan, algorithm)
        return compare(scan, algorithm, self._attempt(lambda db: _load(db, key)))

    def remember(
        self, scan: Scan, recall: Recall, digests: Sequence[bytes], sizes: Sequence[int], content_sum: "ContentSum"
    ) -> bool:
        """Keep what `scan` found and `content_sum`, the sum of all of it.

        `digests` (stored form) and `sizes` say what was read of each row in `recall.changed`. False when it was not
        kept, for instance because another process remembered this root meanwhile; what is kept stays consistent.
        """
        assert len(digests) == len(sizes) == len(recall.changed), "a digest and a size for each changed row"
        written = changes(scan, recall, digests, sizes)
        unused_s = time.time() - recall.tree.used_s if recall.tree else 0
        if not written and unused_s < USED_TICK_S:
            return True
        key = _key_of(scan, recall.algorithm)
        return bool(self._attempt(lambda db: self._store(db, key, recall.tree, written, content_sum)))

    def recall_file(self, file: ScannedFile, algorithm: str) -> bytes | None:
        """The digest (stored form) of a file that was remembered by itself and has not changed since, or None."""
        key = (os.fsencode(file.location), algorithm)
        found = self._pending.get(key) or self._attempt(lambda db: _load_file(db, key))
        return found[1] if found is not None and found[0] == file.stats.tobytes() else None

    def remember_file(self, file: ScannedFile, digest: bytes) -> None:
        """Keep what was read of `file`: in memory at first, written with others, at the latest by `close`."""
        if not is_settled(file.stats[MTIME_NS], file.stats[CTIME_NS], file.started_ns):
            return
        key = (os.fsencode(file.location), digest_forms.algorithm_of(digest))
        with _lock:
            self._pending[key] = (file.stats.tobytes(), digest)
        if len(self._pending) >= FILES_PENDING_MAX:
            self.flush()

    def recall_content(self, identity: bytes) -> bytes | None:
        """The digest (stored form) of the content that was remembered for `identity`, or None."""
        key = (_CONTENT + identity, digest_forms.DEFAULT_ALGORITHM)
        found = self._pending.get(key) or self._attempt(lambda db: _load_file(db, key))
        return found[1] if found is not None else None

    def remember_content(self, identity: bytes, digest: bytes) -> None:
        """Keep the digest of content that does not change with time, such as an object's version: as `remember_file`.

        `digest` is of the default algorithm.
        """
        with _lock:
            self._pending[_CONTENT + identity, digest_forms.DEFAULT_ALGORITHM] = (b"", digest)
        if len(self._pending) >= FILES_PENDING_MAX:
            self.flush()

    def flush(self) -> None:
        """Write what was remembered of single files and contents."""
        with _lock:
            rows, self._pending = self._pending, {}
        if rows:
            self._attempt(lambda db: _store_files(db, rows))

    def close(self) -> None:
        """Write what is pending and let go of the file. Closing twice is fine; the next use opens it again."""
        self.flush()
        with _lock:
            self._disconnect()

    def _attempt(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result | None:
        """What `work` gives, or None when the index cannot do it."""
        with _lock:
            if self._failures >= FAILURES_MAX:
                return None
            try:
                if self._connection is None:
                    self._connection = _connect(self._file)
                return work(self._connection)
            except _Unusable:
                self._failures = FAILURES_MAX
            except OSError:
                self._failures += 1
            except sqlite3.Error as error:
                self._recover(error)
            return None

    def _recover(self, error: sqlite3.Error) -> None:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the low byte is the kind of error
        if code in _TRANSIENT:
            return
        self._failures += 1
        self._disconnect()
        if code not in _SURROUNDINGS:
            _set_aside(self._file)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):  # a full disk; the rollback journal brings the file back to what it was
                connection.close()

    def _store(
        self, db: sqlite3.Connection, key: _TreeKey, expected: Tree | None, written: Changes, content_sum: "ContentSum"
    ) -> bool:
        with _transaction(db, "IMMEDIATE"):
            found = db.execute(
                "SELECT id, revision FROM trees WHERE root = ? AND prefix = ? AND algorithm = ?", key
            ).fetchone()
            if found != (expected and expected[:2]):
                return False
            tree_id = _store_tree(db, key, expected, content_sum, written.checksum)
            _store_chunks(db, tree_id, written)
            if not self._make_room(db, tree_id):
                db.rollback()
                return False
        return True

    def _make_room(self, db: sqlite3.Connection, newest: int) -> bool:
        """Evict the least recently used trees. False when `newest` alone is too large."""
        (count,) = db.execute("SELECT count(*) FROM trees").fetchone()
        while count > self._trees_max or _bytes_used(db) > self._bytes_max:
            oldest = db.execute("SELECT id FROM trees WHERE id != ? ORDER BY used_s, id LIMIT 1", (newest,)).fetchone()
            if oldest is None:
                return False
            _forget(db, oldest[0])
            count -= 1
        return True


def _load(db: sqlite3.Connection, key: _TreeKey) -> Remembered | None:
    from headwater_schemas.lthash import ContentSum

    with _transaction(db, "DEFERRED"):
        row = db.execute(
            "SELECT id, revision, used_s, state, count, size_bytes, checksum FROM trees "
            "WHERE root = ? AND prefix = ? AND algorithm = ?",
            key,
        ).fetchone()
        if row is None:
            return None
        rows = db.execute("SELECT id, folder, names, stats, digests FROM chunks WHERE tree = ? ORDER BY id", row[:1])
        chunks = [Chunk(*chunk) for chunk in rows]
    checksum = 0
    for chunk in chunks:
        checksum ^= chunk.checksum()
    content_sum = ContentSum(*row[3:6])
    if _seal(checksum, content_sum) != row[6]:
        with _transaction(db, "IMMEDIATE"):
            _forget(db, row[0])
        return None
    return Remembered(tree=Tree(*row[:3]), content_sum=content_sum, checksum=checksum, chunks=chunks)


def _store_tree(
    db: sqlite3.Connection, key: _TreeKey, known: Tree | None, content_sum: "ContentSum", checksum: int
) -> int:
    """Insert the tree's row, or update that of `known`, and say its id."""
    seal = _seal(checksum, content_sum)
    numbers = (content_sum.state, content_sum.count, content_sum.size_bytes, seal, int(time.time()))
    if known is None:
        inserted = db.execute(
            "INSERT INTO trees (root, prefix, algorithm, revision, state, count, size_bytes, checksum, used_s) "
            "VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?)",
            (*key, *numbers),
        )
        return inserted.lastrowid or 0
    db.execute(
        "UPDATE trees SET revision = revision + 1, state = ?, count = ?, size_bytes = ?, checksum = ?, used_s = ? "
        "WHERE id = ?",
        (*numbers, known.id),
    )
    return known.id


def _store_chunks(db: sqlite3.Connection, tree_id: int, written: Changes) -> None:
    db.executemany("DELETE FROM chunks WHERE id = ?", [(chunk.id,) for chunk in written.removed])
    db.executemany(
        "UPDATE chunks SET names = ?, stats = ?, digests = ? WHERE id = ?",
        [(chunk.names, chunk.stats, chunk.digests, chunk.id) for chunk in written.updated],
    )
    db.executemany(
        "INSERT INTO chunks (tree, folder, names, stats, digests) VALUES (?, ?, ?, ?, ?)",
        [(tree_id, chunk.folder, chunk.names, chunk.stats, chunk.digests) for chunk in written.added],
    )


def _forget(db: sqlite3.Connection, tree_id: int) -> None:
    db.execute("DELETE FROM chunks WHERE tree = ?", (tree_id,))
    db.execute("DELETE FROM trees WHERE id = ?", (tree_id,))


def _load_file(db: sqlite3.Connection, key: _FileKey) -> _FileRow | None:
    row = db.execute("SELECT stats, digest, checksum FROM files WHERE location = ? AND algorithm = ?", key).fetchone()
    if row is None or row[2] != _file_checksum(key, row[:2]):
        return None
    return row[0], row[1]


def _store_files(db: sqlite3.Connection, rows: dict[_FileKey, _FileRow]) -> None:
    with _transaction(db, "IMMEDIATE"):
        db.executemany(
            "INSERT OR REPLACE INTO files (location, algorithm, stats, digest, checksum) VALUES (?, ?, ?, ?, ?)",
            [(*key, *row, _file_checksum(key, row)) for key, row in rows.items()],
        )
        # A row that is replaced gets a new id, so the lowest ids are the oldest.
        db.execute("DELETE FROM files WHERE id <= (SELECT max(id) FROM files) - ?", (FILES_MAX,))


def _seal(checksum: int, content_sum: "ContentSum") -> bytes:
    numbers = b"%d %d " % (content_sum.count, content_sum.size_bytes)
    return xxh3_128_digest(checksum.to_bytes(16, "big") + numbers + content_sum.state)


def _file_checksum(key: _FileKey, row: _FileRow) -> bytes:
    return xxh3_128_digest(b"\x00".join((key[0], key[1].encode(), *row)))


def _key_of(scan: Scan, algorithm: str) -> _TreeKey:
    return os.fsencode(os.path.realpath(scan.root)), scan.prefix, digest_forms.check_algorithm(algorithm)


def _connect(file: str) -> sqlite3.Connection:
    """Open the index, or make it. Raises: _Unusable, OSError, sqlite3.Error."""
    os.makedirs(os.path.dirname(file), mode=0o700, exist_ok=True)
    db = sqlite3.connect(file, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA synchronous = OFF")
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        if not _is_ours(db):
            with _transaction(db, "IMMEDIATE"):
                if not _is_ours(db):  # asked again: another process may have made it meanwhile
                    for statement in _SCHEMA:
                        db.execute(statement)
        # Deleting the journal each time would cost a new inode each time.
        db.execute("PRAGMA journal_mode = TRUNCATE")
    except BaseException:
        db.close()
        raise
    return db


def _is_ours(db: sqlite3.Connection) -> bool:
    """False for an empty file. Raises: _Unusable for anything else that is not an index of this format."""
    (application_id,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if (application_id, version) == (_APPLICATION_ID, _FORMAT):
        return True
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id or version or tables:
        raise _Unusable
    return False


def _set_aside(file: str) -> None:
    """Move a damaged index out of the way; the next use makes a new one. The last one is kept, to be looked at."""
    with suppress(OSError):
        os.replace(file, f"{file}.damaged")
    with suppress(OSError):
        os.unlink(f"{file}-journal")  # it belongs to what was moved


def _bytes_used(db: sqlite3.Connection) -> int:
    pages, free, page_bytes = (
        db.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * page_bytes)


@contextmanager
def _transaction(db: sqlite3.Connection, kind: str) -> Iterator[None]:
    db.execute(f"BEGIN {kind}")
    try:
        yield
        db.commit()
    except BaseException:
        db.rollback()
        raise


# One lock for every index of the process: it is held for milliseconds, and a fork waits until nobody is in SQLite.
_lock = threading.Lock()
_indexes: "WeakSet[StatIndex]" = WeakSet()


def _before_fork() -> None:
    _lock.acquire()
    for index in _indexes:
        index._disconnect()


fork_hooks.register(before=_before_fork, in_parent=_lock.release, in_child=_lock.release)
