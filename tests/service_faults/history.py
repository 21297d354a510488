"""Judge a recorded history of many writers: what each was told must agree with what is there, and with each other.

An operation is invoked, and ends as `ok`, as `fail` (it certainly did not happen) or as `unknown` (it may have, and may
still). A commit's content is its own, so its digest says which operation made a version. A read asks for the latest
version. What holds of a store that keeps its promises:

- every acknowledged commit is there, once, under the number that its writer was told;
- no commit that failed is there, one that is unknown at most once, and nothing that nobody wrote;
- numbers are dense, and a commit that was over before another one began has the smaller number;
- a read that began after a commit was acknowledged, or another read was answered, never sees less than that;
- what was added to a shared draft, and acknowledged, is in its version, and nothing that failed or nobody added.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ok", "fail", "unknown"]


@dataclass(frozen=True)
class Operation:
    """What one writer did, and what it was told. Times are of one clock, shared by all processes of a machine."""

    writer: str
    kind: Literal["commit", "read", "upsert"]
    name: str  # of the artifact
    invoked: float
    ended: float
    outcome: Outcome
    version: int | None = None  # where it is known
    digest: str | None = None  # of a commit always; of a read where something was there; of an upsert its path


Found = Mapping[str, Sequence[tuple[int, str]]]  # artifact → (number, digest) of its versions, in the order of numbers


def problems(operations: Iterable[Operation], found: Found) -> list[str]:
    """Everything in which the history and what is there contradict each other; nothing when all is well."""
    by_name: dict[str, list[Operation]] = defaultdict(list)
    for operation in operations:
        if operation.kind != "upsert":
            by_name[operation.name].append(operation)
    return [problem for name in sorted({*by_name, *found}) for problem in _of_one(by_name[name], found.get(name, ()))]


def problems_of_draft(operations: Iterable[Operation], paths: Collection[str]) -> list[str]:
    """Everything in which what was added to a shared draft and the version that it became contradict each other."""
    upserts = [operation for operation in operations if operation.kind == "upsert"]
    said = {str(upsert.digest): upsert.outcome for upsert in upserts}
    lost = [f"lost: {path}" for path, outcome in said.items() if outcome == "ok" and path not in paths]
    failed = [f"happened after all: {path}" for path in paths if said.get(path) == "fail"]
    phantoms = [f"phantom: nobody added {path}" for path in paths if path not in said]
    return sorted([*lost, *failed, *phantoms])


def _of_one(operations: list[Operation], versions: Sequence[tuple[int, str]]) -> Iterator[str]:
    commits = [operation for operation in operations if operation.kind == "commit"]
    reads = [operation for operation in operations if operation.kind == "read" and operation.outcome == "ok"]
    yield from _numbers(versions)
    yield from _presence(commits, versions)
    yield from _order(commits, {digest: number for number, digest in versions})
    yield from _freshness(commits, reads, dict(versions))


def _numbers(versions: Sequence[tuple[int, str]]) -> Iterator[str]:
    numbers = [number for number, _ in versions]
    if numbers != list(range(len(numbers))):
        yield f"numbers are not dense: {numbers}"


def _presence(commits: list[Operation], versions: Sequence[tuple[int, str]]) -> Iterator[str]:
    there = Counter(digest for _, digest in versions)
    number_of = {digest: number for number, digest in versions}
    for commit in commits:
        times = there[str(commit.digest)]
        if commit.outcome == "ok" and times == 0:
            yield f"lost: {_description(commit)}"
        elif commit.outcome == "ok" and number_of[str(commit.digest)] != commit.version:
            yield f"moved: {_description(commit)} is v{number_of[str(commit.digest)]}"
        elif commit.outcome == "fail" and times:
            yield f"happened after all: {_description(commit)}"
        if times > 1:
            yield f"there {times} times: {_description(commit)}"
    written = {commit.digest for commit in commits}
    for number, digest in versions:
        if digest not in written:
            yield f"phantom: nobody wrote v{number} ({digest})"


def _order(commits: list[Operation], number_of: Mapping[str, int]) -> Iterator[str]:
    """Real time: what was over before something began stands before it."""
    done = sorted((commit for commit in commits if commit.outcome == "ok"), key=lambda commit: commit.ended)
    begun = sorted(commits, key=lambda commit: commit.invoked)
    highest, at = -1, 0
    for commit in begun:
        while at < len(done) and done[at].ended < commit.invoked:
            highest = max(highest, number_of.get(str(done[at].digest), -1))
            at += 1
        number = number_of.get(str(commit.digest))
        if number is not None and number < highest:
            yield f"reordered: {_description(commit)} is v{number}, and v{highest} was acknowledged before it began"


def _freshness(commits: list[Operation], reads: list[Operation], digest_of: Mapping[int, str]) -> Iterator[str]:
    """Reads show what was acknowledged, or read by anybody, before they began."""
    known = sorted(
        (operation for operation in (*commits, *reads) if operation.outcome == "ok" and operation.version is not None),
        key=lambda operation: operation.ended,
    )
    highest, at = -1, 0
    for read in sorted(reads, key=lambda read: read.invoked):
        while at < len(known) and known[at].ended < read.invoked:
            highest = max(highest, known[at].version or 0)
            at += 1
        seen = -1 if read.version is None else read.version
        if seen < highest:
            yield f"stale: {_description(read)}, and v{highest} was known before it began"
        if read.version is not None and digest_of.get(read.version) != read.digest:
            yield f"changed: {_description(read)}, and v{read.version} is {digest_of.get(read.version)}"


def _description(operation: Operation) -> str:
    version = "" if operation.version is None else f" as v{operation.version}"
    return f"{operation.kind} of {operation.name} by {operation.writer} ({operation.outcome}{version})"
