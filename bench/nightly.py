"""A pipeline that runs every night, for pictures of its lineage: each night's model is trained from the one before.

import → raw → clean → clean → split → train, test → train (3 times) → model → compare → report
"""

from collections.abc import Iterator, Sequence

from headwater_schemas.events import ArtifactUsed, Event, RunFinished, RunStarted

from bench.fabricated import PROJECT, files, version_events

METHODS = ("logistic", "ridge", "vector")
NODES_A_NIGHT = 18  # versions and runs


def nights(count: int) -> Iterator[list[Event]]:
    """The events of each night."""
    for night in range(count):
        yield [event for step in _steps(night) for event in _run(night, *step)]


def _steps(night: int) -> Iterator[tuple[str, str, Sequence[tuple[str, int]], Sequence[str]]]:
    """The id, the job type, what is used and what is logged, of each run."""
    yield "import", "import", [], ["raw"]
    yield "clean", "clean", [("raw", night)], ["clean"]
    yield "split", "split", [("clean", night)], ["train", "test"]
    for method in METHODS:
        before = [(f"model-{method}", night - 1)] if night else []
        yield method, "train", [("train", night), *before], [f"model-{method}"]
    models = [(f"model-{method}", night) for method in METHODS]
    yield "compare", "compare", [("test", night), *models], ["report"]
    yield "publish", "publish", [("report", night)], ["site"]


def _run(night: int, name: str, job_type: str, used: Sequence[tuple[str, int]], logged: Sequence[str]) -> list[Event]:
    run = f"{PROJECT}/{name}-{night}"
    events: list[Event] = [RunStarted(run=run, job_type=job_type, display_name=f"{name} {night}")]
    for collection, version in used:
        of = f"{PROJECT}/{collection}"
        events.append(ArtifactUsed(collection=of, version=version, run=run, requested=f"{collection}:latest"))
    for collection in logged:
        draft = f"{collection}-{night}"
        events += version_events(f"{PROJECT}/{collection}", draft, [files([night], content=draft)], run=run)
    is_broken = name == "ridge" and night % 7 == 3
    return [*events, RunFinished(run=run, state="failed" if is_broken else "finished")]
