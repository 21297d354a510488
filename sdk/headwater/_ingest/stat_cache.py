"""The stat cache: the digests of unchanged files, by their stat numbers, so that they are not read again.

One SQLite file per user. It is a cache: when it is locked, full, damaged, newer or missing, files are read again and no
error is shown. What it does answer must be true, so each tree has a checksum over all that is stored of it; a tree that
fails its checksum is deleted as a whole (SQLite runs without fsync here, so a power cut may tear a tree).

A tree's chunks and the sum of its entries change in one transaction, and only if nobody else changed the tree since it
was loaded.

The journal is SQLite's rollback journal, not a WAL: it works on network homes and leaves nothing to checkpoint at exit.
No connection crosses a fork: all are closed before one, and reopened when they are needed.
"""

import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar
from weakref import WeakSet

from headwater_runtime import fork_hooks
from headwater_runtime.closing import closed_on_failure
from headwater_schemas import digests as digest_forms
from headwater_schemas.lthash import ContentSum
from xxhash import xxh3_128_digest

from headwater._ingest.folder_walk import CTIME_NS, MTIME_NS
from headwater._ingest.own_files import STAT_CACHE_ID
from headwater._ingest.scan import Scan, ScannedFile
from headwater._ingest.scan_diff import (
    CachedTree,
    Chunk,
    ChunkChanges,
    ScanDiff,
    TreeRevision,
    chunk_changes,
    diff_scan,
)
from headwater._ingest.trust import is_trusted

TREES_MAX = 1024
CACHE_BYTES_MAX = 2 * 1024**3  # about 30 million files
FILES_MAX = 262_144  # files added one by one, and contents of references, about 50 MB; the oldest make room
FILES_PENDING_MAX = 256  # held in memory and written in one transaction
BUSY_TIMEOUT_S = 0.5  # others hold it for milliseconds; beyond that, reading the files is quicker
FAILURES_MAX = 3  # after that the cache is disabled until it is opened again
USED_TICK_S = 3600  # resolution of "least recently used": an unchanged tree is written at most this often

_FORMAT = 3 if sys.byteorder == "little" else 0x103  # numbers are stored in native byte order
_OLDER_FORMATS = frozenset({1, 0x101, 2, 0x102})  # without executable bits, or with files that were trusted too young
_CACHE_KIB = 16 * 1024
_CONTENT = b"content:"  # prefix of identities that are not local files, whose locations begin with a slash

# Failures of the environment. Any other error means that the file is damaged.
_TRANSIENT = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_ENVIRONMENT = _TRANSIENT | {
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
        ignore TEXT NOT NULL,
        revision INTEGER NOT NULL,
        state BLOB NOT NULL,
        count INTEGER NOT NULL,
        size_bytes INTEGER NOT NULL,
        checksum BLOB NOT NULL,
        used_s INTEGER NOT NULL,
        UNIQUE (root, prefix, algorithm, ignore)
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
    f"PRAGMA application_id = {STAT_CACHE_ID}",
    f"PRAGMA user_version = {_FORMAT}",
)

_DROP = tuple(f"DROP TABLE IF EXISTS {name}" for name in ("trees", "chunks", "files"))

_Result = TypeVar("_Result")
_TreeKey = tuple[bytes, str, str, str]  # root, prefix, algorithm, the caller's ignore rules
_FileKey = tuple[bytes, str]  # location, algorithm
_FileRow = tuple[bytes, bytes]  # stats, digest in its stored form


class _ForeignFile(Exception):
    """The file was written by another release or another program; it is left alone."""


class StatCache:
    """A cache in one file, for any number of processes and threads, also across a fork.

    No method raises because of the state of the file.
    """

    def __init__(self, file: str, trees_max: int, bytes_max: int) -> None:
        self._file = file
        self._trees_max = trees_max
        self._bytes_max = bytes_max
        self._connection: sqlite3.Connection | None = None
        self._failures = 0
        self._pending: dict[_FileKey, _FileRow] = {}
        with _lock:
            _caches.add(self)

    @classmethod
    def open(
        cls, file: str | os.PathLike[str], *, trees_max: int = TREES_MAX, bytes_max: int = CACHE_BYTES_MAX
    ) -> "StatCache":
        """A cache in `file`, which is created when first needed. The least recently used trees are evicted."""
        return cls(os.path.abspath(file), trees_max, bytes_max)

    def diff_scan(self, scan: Scan, algorithm: str) -> ScanDiff:
        """Compare `scan` with the state that was last stored for its root, prefix and rules."""
        key = _key_of(scan, algorithm)
        return diff_scan(scan, algorithm, self._try(lambda db: _load_tree(db, key)))

    def store_scan(
        self, scan: Scan, diff: ScanDiff, digests: Sequence[bytes], sizes: Sequence[int], content_sum: ContentSum
    ) -> bool:
        """Store the scanned state of a tree, and `content_sum`, the sum of all of it.

        `digests` (stored form) and `sizes` are those of the rows in `diff.changed_rows`. False when it was not stored,
        for instance because another process stored this root meanwhile; the stored state stays consistent.
        """
        assert len(digests) == len(sizes) == len(diff.changed_rows), "a digest and a size for each changed row"
        written = chunk_changes(scan, diff, digests, sizes)
        unused_s = time.time() - diff.tree.used_s if diff.tree else 0
        if not written and unused_s < USED_TICK_S:
            return True
        key = _key_of(scan, diff.algorithm)
        return bool(self._try(lambda db: self._store(db, key, diff.tree, written, content_sum)))

    def forget_scan(self, scan: Scan, algorithm: str) -> None:
        """Drop the state that was stored for the root, prefix and rules of `scan`."""
        key = _key_of(scan, algorithm)
        self._try(lambda db: _forget_tree(db, key))

    def lookup_file(self, file: ScannedFile, algorithm: str) -> bytes | None:
        """The digest (stored form) of a single file that was stored and has not changed since, or None."""
        key = (os.fsencode(file.location), algorithm)
        found = self._pending.get(key) or self._try(lambda db: _load_file(db, key))
        return found[1] if found is not None and found[0] == file.stats.tobytes() else None

    def store_file(self, file: ScannedFile, digest: bytes) -> None:
        """Store the digest of `file`: in memory at first, written together with others, at the latest by `close`."""
        if not (is_trusted(file.stats[MTIME_NS], file.stats[CTIME_NS], file.started_ns) and file.tells_changes()):
            return
        key = (os.fsencode(file.location), digest_forms.algorithm_of(digest))
        with _lock:
            self._pending[key] = (file.stats.tobytes(), digest)
        if len(self._pending) >= FILES_PENDING_MAX:
            self.flush()

    def lookup_content(self, identity: bytes) -> bytes | None:
        """The digest (stored form) that was stored for `identity`, or None."""
        key = (_CONTENT + identity, digest_forms.DEFAULT_ALGORITHM)
        found = self._pending.get(key) or self._try(lambda db: _load_file(db, key))
        return found[1] if found is not None else None

    def store_content(self, identity: bytes, digest: bytes) -> None:
        """Store the digest of immutable content, such as one version of an object: as `store_file`.

        `digest` is of the default algorithm.
        """
        with _lock:
            self._pending[_CONTENT + identity, digest_forms.DEFAULT_ALGORITHM] = (b"", digest)
        if len(self._pending) >= FILES_PENDING_MAX:
            self.flush()

    def flush(self) -> None:
        """Write the pending digests of single files and contents."""
        with _lock:
            rows, self._pending = self._pending, {}
        if rows:
            self._try(lambda db: _store_files(db, rows))

    def close(self) -> None:
        """Write what is pending and close the file. Closing twice is fine; the next use opens it again."""
        self.flush()
        with _lock:
            self.disconnect()

    def disconnect(self) -> None:
        """Close the connection, not flushing what is pending. The caller holds the lock of this module."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):  # a full disk; the rollback journal restores the file
                connection.close()

    def _try(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result | None:
        """The result of `work`, or None when the cache is unusable."""
        with _lock:
            if self._failures >= FAILURES_MAX:
                return None
            try:
                if self._connection is None:
                    self._connection = _connect(self._file)
                return work(self._connection)
            except _ForeignFile:
                self._failures = FAILURES_MAX
            except OSError:
                self._failures += 1
            except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter for a damaged name of a table
                self._recover(error)
            return None

    def _recover(self, error: Exception) -> None:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the low byte is the kind of error
        if code in _TRANSIENT:
            return
        self._failures += 1
        self.disconnect()
        if code not in _ENVIRONMENT:
            _set_aside(self._file)

    def _store(
        self,
        db: sqlite3.Connection,
        key: _TreeKey,
        expected: TreeRevision | None,
        written: ChunkChanges,
        content_sum: ContentSum,
    ) -> bool:
        with _transaction(db, "IMMEDIATE"):
            found = db.execute(
                "SELECT id, revision FROM trees WHERE (root, prefix, algorithm, ignore) = (?, ?, ?, ?)", key
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
            _delete_tree(db, oldest[0])
            count -= 1
        return True


def _load_tree(db: sqlite3.Connection, key: _TreeKey) -> CachedTree | None:
    with _transaction(db, "DEFERRED"):
        row = db.execute(
            "SELECT id, revision, used_s, state, count, size_bytes, checksum FROM trees "
            "WHERE (root, prefix, algorithm, ignore) = (?, ?, ?, ?)",
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
            _delete_tree(db, row[0])
        return None
    return CachedTree(tree=TreeRevision(*row[:3]), content_sum=content_sum, checksum=checksum, chunks=chunks)


def _store_tree(
    db: sqlite3.Connection, key: _TreeKey, known: TreeRevision | None, content_sum: ContentSum, checksum: int
) -> int:
    """Insert the tree's row, or update that of `known`; returns its id."""
    seal = _seal(checksum, content_sum)
    numbers = (content_sum.state, content_sum.count, content_sum.size_bytes, seal, int(time.time()))
    if known is None:
        inserted = db.execute(
            "INSERT INTO trees (root, prefix, algorithm, ignore, revision, state, count, size_bytes, checksum, used_s) "
            "VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?)",
            (*key, *numbers),
        )
        return inserted.lastrowid or 0
    db.execute(
        "UPDATE trees SET revision = revision + 1, state = ?, count = ?, size_bytes = ?, checksum = ?, used_s = ? "
        "WHERE id = ?",
        (*numbers, known.id),
    )
    return known.id


def _store_chunks(db: sqlite3.Connection, tree_id: int, written: ChunkChanges) -> None:
    db.executemany("DELETE FROM chunks WHERE id = ?", [(chunk.id,) for chunk in written.removed])
    db.executemany(
        "UPDATE chunks SET names = ?, stats = ?, digests = ? WHERE id = ?",
        [(chunk.names, chunk.stats, chunk.digests, chunk.id) for chunk in written.updated],
    )
    db.executemany(
        "INSERT INTO chunks (tree, folder, names, stats, digests) VALUES (?, ?, ?, ?, ?)",
        [(tree_id, chunk.folder, chunk.names, chunk.stats, chunk.digests) for chunk in written.added],
    )


def _delete_tree(db: sqlite3.Connection, tree_id: int) -> None:
    db.execute("DELETE FROM chunks WHERE tree = ?", (tree_id,))
    db.execute("DELETE FROM trees WHERE id = ?", (tree_id,))


def _forget_tree(db: sqlite3.Connection, key: _TreeKey) -> None:
    with _transaction(db, "IMMEDIATE"):
        row = db.execute("SELECT id FROM trees WHERE (root, prefix, algorithm, ignore) = (?, ?, ?, ?)", key).fetchone()
        if row is not None:
            _delete_tree(db, row[0])


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


def _seal(checksum: int, content_sum: ContentSum) -> bytes:
    numbers = b"%d %d " % (content_sum.count, content_sum.size_bytes)
    return xxh3_128_digest(checksum.to_bytes(16, "big") + numbers + content_sum.state)


def _file_checksum(key: _FileKey, row: _FileRow) -> bytes:
    return xxh3_128_digest(b"\x00".join((key[0], key[1].encode(), *row)))


def _key_of(scan: Scan, algorithm: str) -> _TreeKey:
    root, rules = os.fsencode(os.path.realpath(scan.root)), "\n".join(scan.ignore)
    return root, scan.prefix, digest_forms.check_algorithm(algorithm), rules


def _connect(file: str) -> sqlite3.Connection:
    """Open the database, or create it. Raises: _ForeignFile, OSError, sqlite3.Error."""
    os.makedirs(os.path.dirname(file), mode=0o700, exist_ok=True)
    db = sqlite3.connect(file, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    with closed_on_failure(db):
        db.execute("PRAGMA synchronous = OFF")
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        if not _is_ours(db):
            with _transaction(db, "IMMEDIATE"):
                if not _is_ours(db):  # checked again: another process may have created it meanwhile
                    for statement in (*_DROP, *_SCHEMA):
                        db.execute(statement)
        # Deleting the journal each time would cost a new inode each time.
        db.execute("PRAGMA journal_mode = TRUNCATE")
    return db


def _is_ours(db: sqlite3.Connection) -> bool:
    """False for an empty file, or a cache of an older format, to be replaced.

    Raises: _ForeignFile for anything else that is not a cache of this format.
    """
    (application_id,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if (application_id, version) == (STAT_CACHE_ID, _FORMAT):
        return True
    if application_id == STAT_CACHE_ID and version in _OLDER_FORMATS:
        return False
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id or version or tables:
        raise _ForeignFile
    return False


def _set_aside(file: str) -> None:
    """Rename a damaged file, kept for inspection; the next use creates a new one."""
    with suppress(OSError):
        os.replace(file, f"{file}.damaged")
    with suppress(OSError):
        os.unlink(f"{file}-journal")  # it belongs to the damaged file


def _bytes_used(db: sqlite3.Connection) -> int:
    pages, free, page_bytes = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
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


# One lock for every cache of the process: it is held for milliseconds, and a fork waits until no thread is in SQLite.
_lock = threading.Lock()
_caches: "WeakSet[StatCache]" = WeakSet()


def _before_fork() -> None:
    _lock.acquire()
    for cache in _caches:
        cache.disconnect()


fork_hooks.register(before=_before_fork, in_parent=_lock.release, in_child=_lock.release)
