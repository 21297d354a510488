"""Archiving a log against reading it, and restoring an archive into a new log against writing its records barely."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain, islice
from pathlib import Path

from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.port import RECORDS_PER_APPEND_MAX, EventLog, Record
from headwater_schemas import header_block
from headwater_stores.archives import archive_store
from headwater_stores.config.settings import read_settings
from headwater_stores.log_restore import restore_log

from bench.fabricated import opened, opened_servers, read_all, record
from bench.harness import Bench, Figure, Home, Pairs, Result, run, settle
from bench.on_servers import ServerBench
from bench.recording import grown_entries

EVENTS, EVENTS_PER_DRAFT = 1_000_000, 1000
BARE_EVENTS = 200_000  # in memory at once; all of them would take a gigabyte
ARCHIVED_MIN = 0.5  # of the speed of reading the log
RESTORED_MAX = 2.0  # times as long as a bare producer
INSERT = "INSERT INTO records VALUES (?, ?, ?, ?, ?)"
TABLE = "CREATE TABLE records (offset INTEGER PRIMARY KEY, time_us INTEGER, key TEXT, headers BLOB, payload BLOB)"


def measure(bench: Bench) -> Iterator[Figure]:
    """On a folder."""
    yield from _figures(bench, bench.home)


def measure_on_servers(bench: ServerBench) -> Iterator[Figure]:
    """On servers."""
    yield from _figures(bench, bench.quiet_home)


def _figures(bench: Bench, new_home: Callable[[], Home]) -> Iterator[Figure]:
    home, events = new_home(), bench.size(EVENTS)
    run(home, record_events, events=events)
    folders = [bench.folder("archive") for _ in range(bench.rounds)]
    taken = iter(folders)
    archived = bench.paired(
        lambda: _rate(run(home, archive, folder=str(next(taken)))), lambda: _rate(run(home, read_log))
    )
    ok = archived.ratio >= ARCHIVED_MIN
    yield archived.figure("archive", unit="events/s", reach=f"at least {ARCHIVED_MIN} x reading the log", ok=ok)
    yield _restored(bench, home, new_home, folders[0], events)


def _restored(bench: Bench, home: Home, new_home: Callable[[], Home], folder: Path, events: int) -> Figure:
    values: list[float] = []
    limits: list[float] = []
    for _ in range(bench.rounds):
        settle()
        values.append(run(new_home(), restore, folder=str(folder))["seconds"])
        settle()
        bare = run(home, write_barely, file=str(bench.folder("bare.db")))
        limits.append(bare["seconds"] * events / bare["records"])
    pairs = Pairs(values, limits)
    words = f"at most {RESTORED_MAX:g} x a bare producer of these records"
    return pairs.figure("restore-log", unit="s", reach=words, ok=pairs.ratio <= RESTORED_MAX, detail={"events": events})


def _rate(result: Result) -> float:
    return float(result["records"] / result["seconds"])


# --- for measured processes


def record_events(events: int) -> Result:
    """Versions that grew entry by entry, in the configured store; nobody projects them."""
    settings = read_settings()
    with opened_servers() if settings.profile is not None else opened(settings.store) as (stores, producer):
        return {"records": record(producer, grown_entries(stores.log, events, EVENTS_PER_DRAFT))}


def read_log() -> Result:
    """Every record of it once."""
    with closing(_log()) as log:
        start = time.perf_counter()
        records = sum(1 for _ in _records(log))
        return {"records": records, "seconds": time.perf_counter() - start}


def archive(folder: str) -> Result:
    """All of the log, into a new archive."""
    start = time.perf_counter()
    report = archive_store(folder)
    return {"records": report.added.records, "seconds": time.perf_counter() - start}


def restore(folder: str) -> Result:
    """Into the store that is configured, which has no log yet."""
    start = time.perf_counter()
    report = restore_log(folder, None)
    return {"records": report.records, "seconds": time.perf_counter() - start}


def write_barely(file: str) -> Result:
    """The records of the log, as durable, by what the log is written with itself. Reading them is not measured."""
    with closing(_log()) as log:
        if read_settings().profile is not None:
            records = list(islice(_records(log), BARE_EVENTS))  # the rest takes as long
            return {"records": len(records), "seconds": _send_seconds(records)}
        return _inserted(_records(log), file)


def _send_seconds(records: list[Record]) -> float:
    from headwater_stores.server_settings import kafka_settings

    from bench.bare_servers import fresh_topic, send_seconds
    from bench.on_servers import delete_topics

    profile = read_settings().profile
    assert profile is not None
    topic = fresh_topic(kafka_settings(profile))
    try:
        return send_seconds(topic, records, max(1, len(records) // RECORDS_PER_APPEND_MAX))
    finally:
        delete_topics(topic.servers, {topic.topic})


def _inserted(records: Iterator[Record], file: str) -> Result:
    total, seconds = 0, 0.0
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL").fetchall()
        database.execute("PRAGMA synchronous = FULL")
        database.execute(TABLE)
        while some := list(islice(records, BARE_EVENTS)):
            rows = [(r.position.offset, r.time_us, r.key, header_block.pack(r.headers), r.payload) for r in some]
            total, seconds = total + len(rows), seconds + _insert_seconds(database, rows)
    return {"records": total, "seconds": seconds}


def _insert_seconds(database: sqlite3.Connection, rows: list[tuple[int, int, str, bytes, bytes]]) -> float:
    start = time.perf_counter()
    for first in range(0, len(rows), RECORDS_PER_APPEND_MAX):
        database.execute("BEGIN IMMEDIATE")
        database.executemany(INSERT, rows[first : first + RECORDS_PER_APPEND_MAX])
        database.execute("COMMIT")
    return time.perf_counter() - start


def _log() -> EventLog:
    settings = read_settings()
    if settings.profile is None:
        return EmbeddedEventLog.open(settings.store / "log", create=False)
    from headwater_stores.kafka_logs import open_kafka_log

    return open_kafka_log(settings.profile, create=False)


def _records(log: EventLog) -> Iterator[Record]:
    return chain.from_iterable(read_all(log, partition) for partition in range(log.partitions))
