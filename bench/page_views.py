"""Each view of the page over 1,000,000 versions, and a version of 1,000,000 files; and a search, key by key.

The server is asked over HTTP, by one client; the slowest of the asked counts.
"""

import time
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from importlib.resources import files
from urllib.parse import quote, urlsplit
from uuid import uuid4

from bench import fabricated
from bench.fabricated import PROJECT, opened, version_events, write
from bench.harness import Bench, BenchFailed, Figure, Result, run, timed
from bench.page_rows import VERSIONS, fill
from bench.serving import served

VERSION_COUNT, RUN_COUNT, ENTRY_COUNT = 1_000_000, 100_000, 1_000_000
CHANGED = 1000  # files from one large version to the next
LARGE = f"{PROJECT}/large"
ASKED = 10  # times each, after once
VIEW_MS_MAX, KEY_MS_MAX = 300.0, 100.0
STATIC_BYTES_MAX = 150_000
ANSWER_S = 60.0
TYPED = ("old-0001", "versions", "run-99", "prod", "latest", "tag-01", "lthash:ab12", "ab12cd")

Addresses = dict[str, str]


def measure(bench: Bench) -> Iterator[Figure]:
    """All of it, and what a page loads beside its HTML."""
    home = bench.home()
    sizes = {"versions": bench.size(VERSION_COUNT), "runs": bench.size(RUN_COUNT), "entries": bench.size(ENTRY_COUNT)}
    built = run(home, build, store=home.store, **sizes)
    detail = {**sizes, "build_s": built["seconds"]}
    with served(home) as server:
        connection = HTTPConnection(urlsplit(server.home.url).netloc, timeout=ANSWER_S)
        for name, address in views(sizes["versions"]).items():
            yield _figure(f"page-{name}", _ms(connection, [address]), VIEW_MS_MAX, {**detail, "address": address})
        keys = [f"/search/begins?q={quote(text[:n])}" for text in TYPED for n in range(1, len(text) + 1)]
        yield _figure("page-search-key", _ms(connection, keys), KEY_MS_MAX, {**detail, "asked": len(keys)})
        connection.close()
    yield _static()


def build(store: str, versions: int, runs: int, entries: int) -> Result:
    """Both large versions by events, and the rest as rows."""

    def write_all() -> None:
        with opened(store) as (stores, producer):
            write(stores, producer, version_events(LARGE, uuid4().hex, [fabricated.files(range(entries))]))
            changed = fabricated.files(range(0, entries, max(1, entries // CHANGED)), content="new")
            write(stores, producer, version_events(LARGE, uuid4().hex, [changed], base=0))
            fill(stores.database, versions, runs)

    return {"seconds": timed(write_all)}


def views(versions: int) -> Addresses:
    """A view of each kind."""
    name, large, last = VERSIONS.rpartition("/")[2], LARGE.rpartition("/")[2], versions - 1
    project = f"/p/{PROJECT}"
    return {
        "projects": "/",
        "collections": project,
        "collection": f"{project}/a/{name}",
        "metadata": f"{project}/m/{name}",
        "version": f"{project}/a/{name}/v{last}",
        "version-large": f"{project}/a/{large}/v1",
        "folder-large": f"{project}/a/{large}/v1?path=00000",
        "diff": f"{project}/d/{name}?from=v0&to=v{last}",
        "diff-large": f"{project}/d/{large}?from=v0&to=v1",
        "runs": f"{project}/r",
        "run": f"{project}/r/run-0",
        "feed": f"{project}/feed?since=2023-01-01T00:00:00Z",
        "feed-collection": f"{project}/feed?of={name}&since=2023-01-01T00:00:00Z",
        "search": "/search?q=version",
    }


def _ms(connection: HTTPConnection, addresses: Sequence[str]) -> list[float]:
    """Milliseconds of each answer, each asked ASKED times after once."""
    taken = []
    for n in range(ASKED + 1):
        for address in addresses:
            begun = time.perf_counter()
            connection.request("GET", address)
            response = connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise BenchFailed(f"{address} answered {response.status}: {body!r:.300}")
            if n:
                taken.append((time.perf_counter() - begun) * 1000)
    return taken


def _figure(name: str, taken: Sequence[float], most_ms: float, detail: dict[str, object]) -> Figure:
    slowest = max(taken)
    return Figure(
        bench=name,
        value=slowest,
        unit="ms",
        limit=None,
        ratio=None,
        reach=f"at most {most_ms:g} ms, the slowest of {len(taken)}",
        ok=slowest <= most_ms,
        runs=sorted(taken)[-3:],
        detail={**detail, "median_ms": sorted(taken)[len(taken) // 2]},
    )


def _static() -> Figure:
    """All scripts and style sheets together: no view loads more."""
    folder = files("headwater_server.web") / "static"
    sizes = {one.name: len(one.read_bytes()) for one in folder.iterdir() if one.name.endswith((".js", ".css"))}
    total = sum(sizes.values())
    return Figure(
        bench="page-static",
        value=float(total),
        unit="bytes",
        limit=None,
        ratio=None,
        reach=f"at most {STATIC_BYTES_MAX:,} bytes of scripts and style sheets",
        ok=total <= STATIC_BYTES_MAX,
        runs=[total],
        detail=dict(sizes),
    )
