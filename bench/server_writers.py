"""Many processes commit through one server, 20 times each. Limit on a folder: the `writers` row, which has no server.

On servers: a bare group commit, which is one process that puts one object, confirms one round of records and commits
one transaction for as many commits as the server had in one group, at most every 5 ms.
"""

import io
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import psycopg
from headwater_eventlog.kafka import KafkaSettings
from headwater_stores.config.settings import read_settings
from headwater_stores.server_settings import s3_settings

from bench.bare_servers import client_of, producer_of
from bench.harness import Bench, Figure, Home, Pairs, Result, at_least, run, run_together, settle
from bench.on_servers import ServerBench
from bench.serving import Server, served
from bench.writers import COMMITS, PROCESSES, QUICK_PROCESSES, commit

PROCESSES_THROUGH = 64  # the server
RATIO_MIN = 1.2  # to the direct way, on a folder
RATIO_MIN_ON_SERVERS, OF_DIRECT_MIN = 0.4, 1.5  # to the bare group commit, and to the direct way
GROUP_PAUSE_S = 0.005
BARE_COMMITS = 2000
FILE_BYTES = 64
CPU_MS_MAX = 3.0  # of server and projector, a commit


def measure(bench: Bench) -> Iterator[Figure]:
    """On a folder."""
    processes, own_processes = (QUICK_PROCESSES, QUICK_PROCESSES) if bench.quick else (PROCESSES_THROUGH, PROCESSES)
    through: list[Result] = []
    direct: list[Result] = []
    for _ in range(bench.rounds):
        direct.append(_writers(bench.home(), own_processes))
        with served(home := bench.home()) as server:
            through.append(_through(server, home, processes))
    pairs = Pairs([one["per_second"] for one in through], [one["per_second"] for one in direct])
    errors = sum(one["errors"] for one in through)
    yield pairs.figure(
        "server-writers",
        unit="commits/s",
        reach=f"{at_least(RATIO_MIN)}, no error",
        ok=pairs.ratio >= bench.floor(RATIO_MIN) and errors == 0,
        detail={"processes": processes, "errors": errors, "rounds": through, "direct": direct},
    )


def measure_on_servers(bench: ServerBench) -> Iterator[Figure]:
    """On servers, with the projector in a process of its own."""
    processes = QUICK_PROCESSES if bench.quick else PROCESSES_THROUGH
    through: list[Result] = []
    direct: list[float] = []
    limits: list[float] = []
    for _ in range(bench.rounds):
        direct.append(_writers(bench.home(), processes)["per_second"])
        home = bench.home()
        with served(home) as server:
            found = _through(server, home, processes, bench)
        through.append(found)
        _, bare = bench.bare_commits(home)
        limits.append(
            run(home, commit_in_groups, commits=bench.size(BARE_COMMITS), members=found["members"], **bare)[
                "per_second"
            ]
        )
    pairs = Pairs([one["per_second"] for one in through], limits)
    errors = sum(one["errors"] for one in through)
    of_direct = statistics.median(one["per_second"] / other for one, other in zip(through, direct, strict=True))
    cpu_ms = statistics.median(one["cpu_ms"]["server"] + one["cpu_ms"]["projector"] for one in through)
    is_reached = pairs.ratio >= RATIO_MIN_ON_SERVERS and of_direct >= OF_DIRECT_MIN and cpu_ms <= CPU_MS_MAX
    yield pairs.figure(
        "server-writers",
        unit="commits/s",
        reach=f"{at_least(RATIO_MIN_ON_SERVERS)}, no error, at least {OF_DIRECT_MIN} x the direct way, at most "
        f"{CPU_MS_MAX:g} ms of CPU of server and projector a commit",
        ok=errors == 0 and (bench.quick or is_reached),
        detail={"processes": processes, "errors": errors, "of_direct": of_direct, "rounds": through, "direct": direct},
    )


def _writers(home: Home, processes: int) -> Result:
    run(home, commit, name="first", commits=1)  # makes the store
    settle()
    results = run_together([(home, {"name": f"own-{n}", "commits": COMMITS}) for n in range(processes)], commit)
    commits = sum(one["commits"] for one in results)
    seconds = max(one["end"] for one in results) - min(one["start"] for one in results)
    writer_ms = sum(one["cpu_s"] for one in results) * 1000 / commits
    return {
        "per_second": commits / seconds,
        "errors": sum(one["errors"] for one in results),
        "cpu_ms": {"writer": writer_ms},
    }


def _through(server: Server, home: Home, processes: int, bench: ServerBench | None = None) -> Result:
    """With CPU by component, in milliseconds a commit; the first commits, which warm everything up, are not counted."""
    del home
    run(server.home, commit, name="warm", commits=COMMITS)
    settle()
    before = _looked(server, bench)
    found = _writers(server.home, processes)
    after = _looked(server, bench)
    commits = 1 + processes * COMMITS  # with the one that makes the store
    used = {part: (after[part] - before[part]) * 1000 / commits for part in after if part not in ("groups", "members")}
    members = (after["members"] - before["members"]) / (after["groups"] - before["groups"])
    return {**found, "cpu_ms": {**found["cpu_ms"], **used}, "members": members}


def _looked(server: Server, bench: ServerBench | None) -> dict[str, float]:
    groups, members = (server.figure(f"group_members_{part}") for part in ("count", "sum"))
    found = {"server": server.cpu_s, "groups": groups, "members": members}
    if bench is not None:
        found |= {"projector": bench.projector_cpu_s(), **bench.servers.cpu_by_server()}
    return found


def commit_in_groups(servers: str, topic: str, sizes: list[int], commits: int, members: float) -> Result:
    """Bare: one object, one round to the log and one transaction for each group, at most one group every 5 ms."""
    settings = read_settings()
    assert settings.profile is not None
    s3 = s3_settings(settings.profile)
    client, producer = client_of(s3), producer_of(KafkaSettings(servers, topic))
    of_group = max(1, round(members))
    content = os.urandom(FILE_BYTES) * of_group
    with closing(psycopg.connect(settings.profile.database_url)) as connection:
        connection.execute("CREATE TEMPORARY TABLE bare (id TEXT PRIMARY KEY, value BYTEA)")
        connection.commit()
        start, done = time.monotonic(), 0
        while done < commits:
            next_s = time.monotonic() + GROUP_PAUSE_S
            client.put_object(s3.bucket, f"bare/{uuid4().hex}", io.BytesIO(content), len(content))
            for _ in range(of_group):
                key = uuid4().hex.encode()
                for size in sizes:
                    producer.send(topic, os.urandom(size), key)
            producer.flush()
            rows: list[Any] = [(uuid4().hex, b"x" * size) for _ in range(of_group) for size in sizes]
            with connection.cursor() as cursor:
                cursor.executemany("INSERT INTO bare VALUES (%s, %s)", rows)
            connection.commit()
            done += of_group
            time.sleep(max(0.0, next_s - time.monotonic()))
        seconds = time.monotonic() - start
    producer.close()
    return {"per_second": done / seconds}
