"""How long one writer waits for one small file, from `log_artifact` to the end of `wait`, while nothing else goes on.

Told beside it: the three things that must happen one after the other, each by the bare client.
"""

import io
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import closing

import headwater
import psycopg
from headwater_eventlog.kafka import KafkaSettings
from headwater_stores.config.settings import read_settings
from headwater_stores.server_settings import s3_settings

from bench.bare_servers import client_of, producer_of
from bench.harness import Figure, Pairs, Result, run, settle
from bench.logging_runs import small_artifact
from bench.on_servers import ServerBench
from bench.stages import Stages

SAMPLES = 200
PAUSE_S = 0.1  # what was logged before is over long before, also in the thread that works off the queue
MEDIAN_MAX_S, SLOW_MAX_S = 0.1, 0.3
SLOW = 0.99  # the part of the samples that are to be faster than SLOW_MAX_S


def measure(bench: ServerBench) -> Iterator[Figure]:
    results: list[Result] = []
    steps: list[Result] = []
    for _ in range(bench.rounds):
        home = bench.home()
        settle()
        results.append(run(home, log_small_ones, count=bench.size(SAMPLES)))
        _, bare = bench.bare_commits(home)
        steps.append(run(home, time_bare_steps, count=bench.size(SAMPLES), **bare))
    pairs = Pairs(
        [statistics.median(result["seconds"]) for result in results],
        [sum(taken.values()) for taken in steps],
    )
    slow = statistics.median(_slow(result["seconds"]) for result in results)
    yield pairs.figure(
        "latency",
        unit="s",
        reach=f"median less than {MEDIAN_MAX_S} s, 99th percentile less than {SLOW_MAX_S} s",
        ok=pairs.value < MEDIAN_MAX_S and slow < SLOW_MAX_S,
        detail={
            "samples": len(results[0]["seconds"]),
            "percentile_99_s": [_slow(result["seconds"]) for result in results],
            "slowest_s": [max(result["seconds"]) for result in results],
            "median_stages_s": results[-1]["stages"],
            "bare_s": steps[-1],
        },
    )


def log_small_ones(count: int) -> Result:
    """Seconds of each, and the medians of their stages."""
    seconds: list[float] = []
    stages: list[dict[str, float]] = []
    with headwater.init(job_type="bench") as run_handle:
        for n in range(-1, count):
            artifact = small_artifact("small", f"{n}")
            time.sleep(PAUSE_S)
            with Stages() as staged:
                start = time.perf_counter()
                run_handle.log_artifact(artifact)
                artifact.wait()
                taken = time.perf_counter() - start
            if n >= 0:  # the first one makes connections
                seconds.append(taken)
                stages.append({**staged.seconds, "rest": taken - sum(staged.seconds.values())})
    return {"seconds": seconds, "stages": _medians(stages)}


def time_bare_steps(count: int, servers: str, topic: str, sizes: list[int]) -> Result:
    """Medians of one small object put, of one commit's records confirmed, of one row committed."""
    profile = read_settings().profile
    assert profile is not None
    s3, steps = s3_settings(profile), []
    objects = client_of(s3)
    with closing(producer_of(KafkaSettings(servers, topic))) as producer, psycopg.connect(profile.database_url) as rows:
        rows.execute("CREATE TEMPORARY TABLE bare (number int)")
        rows.commit()
        for n in range(-1, count):
            time.sleep(PAUSE_S)
            start = time.perf_counter()
            objects.put_object(s3.bucket, f"bare/{n}", io.BytesIO(b"x"), 1)
            put = time.perf_counter()
            for size in sizes:
                producer.send(topic, os.urandom(size), b"bare")
            producer.flush()
            sent = time.perf_counter()
            rows.execute("INSERT INTO bare VALUES (1)")
            rows.commit()
            steps.append({"put": put - start, "append": sent - put, "commit": time.perf_counter() - sent})
    return _medians(steps[1:])


def _slow(seconds: list[float]) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * SLOW))]


def _medians(samples: list[dict[str, float]]) -> dict[str, float]:
    stages = dict.fromkeys(stage for sample in samples for stage in sample)
    return {stage: statistics.median(sample.get(stage, 0.0) for sample in samples) for stage in stages}
