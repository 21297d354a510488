"""Record 10,000 objects under one S3 prefix as references. Limit: the bare client's listing of them."""

import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import headwater
from headwater_stores.server_settings import s3_settings

from bench.bare_servers import client_of
from bench.harness import Figure, Result, run, settle
from bench.logging_runs import make_store
from bench.on_servers import ServerBench

OBJECTS = 10_000
PUTS_AT_ONCE = 16
PREFIX = "data"
RATIO_MAX = 1.2


def measure(bench: ServerBench) -> Iterator[Figure]:
    home = bench.home()
    objects = bench.size(OBJECTS)
    run(home, make_store)
    s3 = s3_settings(home.profile())
    client = client_of(s3)

    def put(number: int) -> None:
        client.put_object(s3.bucket, f"{PREFIX}/{number // 100:03d}/{number:06d}", io.BytesIO(b"x"), 1)

    with ThreadPoolExecutor(PUTS_AT_ONCE) as pool:
        list(pool.map(put, range(objects)))

    def bare() -> float:
        start = time.perf_counter()
        found = sum(1 for _ in client.list_objects(s3.bucket, prefix=f"{PREFIX}/", recursive=True))
        assert found == objects, f"{found} objects are listed"
        return time.perf_counter() - start

    credentials = {"key": s3.access_key, "secret": s3.secret_key, "endpoint": s3.endpoint}
    recorded: list[Result] = []

    def record() -> float:
        recorded.append(run(home, refer, bucket=s3.bucket, objects=objects, **credentials))
        return float(recorded[-1]["add"])

    settle()
    pairs = bench.paired(record, bare)
    yield pairs.figure(
        "references-s3",
        unit="s",
        reach=f"at most {RATIO_MAX} x the bare `minio` client's listing",
        ok=pairs.ratio <= RATIO_MAX,
        detail={"objects": objects, "then_logged_s": [result["log"] for result in recorded]},
    )


def refer(bucket: str, objects: int, key: str, secret: str, endpoint: str) -> Result:
    """Seconds of adding the prefix, and of logging it after that."""
    import os

    os.environ |= {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_ENDPOINT_URL": endpoint}
    with headwater.init() as run_handle:
        artifact = headwater.Artifact("references", "dataset")
        start = time.perf_counter()
        added = artifact.add_reference(f"s3://{bucket}/{PREFIX}")
        middle = time.perf_counter()
        assert len(added) == objects
        run_handle.log_artifact(artifact).wait()
        return {"add": middle - start, "log": time.perf_counter() - middle}
