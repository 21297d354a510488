"""What every benchmark needs: rounds, measured processes, and figures with their limits."""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from bench.bare import commit_bare, insert_seconds, make_bare

ROOT = Path(__file__).parent.parent
QUICK_FACTOR = 50  # how much smaller everything is with --quick
ROUNDS = 3
CHILD_TIMEOUT_S = 1800.0  # far above what the largest row takes

BLOCK_BYTES = 512  # in which the kernel counts

Result = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the answer."""

    bench: str
    value: float
    unit: str
    limit: float | None  # what the same machine needs at the least, in the same unit; None where there is none
    ratio: float | None  # the median of the rounds' own ratios: rounds differ more than what is compared in each
    reach: str  # in words
    ok: bool
    runs: list[Any]  # [value, limit] of each round; the value alone where there is no limit
    detail: dict[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """As it is printed."""
        return json.dumps(_rounded(asdict(self)))


@dataclass(frozen=True, slots=True)
class Pairs:
    """A value and its limit, taken one after the other in each round."""

    values: list[float]
    limits: list[float]

    @property
    def value(self) -> float:
        return statistics.median(self.values)

    @property
    def limit(self) -> float:
        return statistics.median(self.limits)

    @property
    def ratio(self) -> float:
        return statistics.median(value / limit for value, limit in zip(self.values, self.limits, strict=True))

    @property
    def runs(self) -> list[list[float]]:
        return [list(pair) for pair in zip(self.values, self.limits, strict=True)]

    def figure(
        self, bench: str, *, unit: str, reach: str, ok: bool, detail: dict[str, Any] | None = None, ratio: bool = True
    ) -> Figure:
        """The figure of these rounds. `ratio` is false where value and limit are not to be divided."""
        return Figure(
            bench=bench,
            value=self.value,
            unit=unit,
            limit=self.limit,
            ratio=self.ratio if ratio else None,
            reach=reach,
            ok=ok,
            runs=self.runs,
            detail=detail or {},
        )


class BenchFailed(Exception):
    """A measured process ended badly."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a row is compared with."""

    words: str  # what is done
    seconds: Callable[[], float]  # does it once
    ratio_max: float | None = None  # to be reached; None: the ratio is told, and nothing asked of it

    @property
    def reach(self) -> str:
        """In words."""
        return f"told beside {self.words}" if self.ratio_max is None else f"at most {self.ratio_max} x {self.words}"

    def is_reached(self, pairs: Pairs) -> bool:
        """Whether the row is near enough to it."""
        return self.ratio_max is None or pairs.ratio <= self.ratio_max


@dataclass(slots=True)
class Bench:
    """One run of benchmarks: how large, how often, and where."""

    work: Path
    rounds: int = ROUNDS
    quick: bool = False
    _folders: int = 0

    def size(self, full: int) -> int:
        """`full`, or what stands for it in a quick run."""
        return max(1, full // QUICK_FACTOR) if self.quick else full

    def folder(self, name: str) -> Path:
        """A path under the work folder that nothing had before; its parent is there."""
        self._folders += 1
        parent = self.work / f"{self._folders:04d}"
        parent.mkdir(parents=True)
        return parent / name

    def home(self) -> "Home":
        """A new place for a store and a cache."""
        return Home(self.folder("home"))

    # What a row is compared with: here with what the disk and SQLite need, on servers with what their clients need.

    def limit_of_logging(self, tree: Path, limit: Limit) -> Limit:  # noqa: ARG002 - for servers
        """Of logging all that is in `tree`; `limit` where the store is a folder."""
        return limit

    def limit_of_fetching(self, tree: Path, limit: Limit) -> Limit:  # noqa: ARG002 - for servers
        """Of fetching it."""
        return limit

    def limit_of_nothing_new(self, home: "Home", limit: Limit) -> Limit:  # noqa: ARG002 - for servers
        """Of logging what is there; the last run in `home` did so."""
        return limit

    def seconds_of_recording(self, home: "Home", transactions: int) -> float:
        """How long the bare write side takes for all that `home` holds, in so many steps."""
        return insert_seconds(home.store, self.folder("bare"), transactions=transactions)

    def rates_of_recording(
        self, count: int, transactions: int, act: Callable[["Home"], Result]
    ) -> tuple[Pairs, list[Result]]:
        """How many of `count` things `act` records per second; the limit is the bare write side of the same facts."""
        results, rates, limits = [], [], []
        for _ in range(self.rounds):
            home = self.home()
            settle()
            results.append(act(home))
            settle()
            rates.append(count / results[-1]["seconds"])
            limits.append(count / self.seconds_of_recording(home, transactions))
        return Pairs(rates, limits), results

    def bare_commits(self, home: "Home") -> tuple[Callable[..., Result], dict[str, Any]]:  # noqa: ARG002 - for servers
        """A function for many measured processes at once that commits `commits` times, barely; its other arguments.

        Each commit is as large as one of those in `home`.
        """
        file = self.folder("bare.db")
        make_bare(file)
        return commit_bare, {"file": str(file)}

    def floor(self, ratio: float) -> float:
        """The ratio to its limit that a rate has to reach; 0 where nothing is asked of it."""
        return ratio

    def close(self) -> None:
        """Called after the last figure of a row."""

    def paired(
        self, value: Callable[[], float], limit: Callable[[], float], *, warm: Callable[[], object] | None = None
    ) -> Pairs:
        """Take both, turn by turn. Which comes first alternates, so that neither always meets the other's leftovers.

        `warm` is called before each: it reads what both will read, so that both find it in memory.
        """
        values: list[float] = []
        limits: list[float] = []
        for n in range(self.rounds):
            for take, taken in ((value, values), (limit, limits))[:: 1 if n % 2 else -1]:
                settle()
                if warm is not None:
                    warm()
                taken.append(take())
        return Pairs(values, limits)


@dataclass(frozen=True, slots=True)
class Home:
    """A store and a cache of their own."""

    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def sizes(self) -> dict[str, int]:
        """Bytes of each part of the store."""
        return {part: bytes_in(self.store / part) for part in ("blobs", "log", "projection")}

    def forget_content(self) -> None:
        """Delete what takes most room, once it is measured: large files."""
        remove(self.store / "blobs" / "objects" / "files")

    def environment(self) -> dict[str, str]:
        """What a process needs to work here, whatever the user's own settings are."""
        own = {
            "URL": self.store.as_uri(),
            "CACHE_DIR": str(self.cache),
            "SETTINGS": os.devnull,
            "ENTITY": "bench",
            "PROJECT": "bench",
            "QUIET": "true",
        }
        return {**os.environ, **{f"HEADWATER_{name}": value for name, value in own.items()}}


def start_python(
    arguments: Sequence[str], environment: Mapping[str, str], *, log: BinaryIO | None = None
) -> "subprocess.Popen[str]":
    """Start a Python process beside this one, which talks over pipes or, where a `log` is given, into that."""
    pipe = subprocess.PIPE if log is None else None
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=pipe or subprocess.DEVNULL,
        stdout=pipe or log,
        stderr=log,
        text=True,
        cwd=ROOT,
        env=environment,
    )


class Child:
    """A process that has imported everything and waits for the word to run `module:function`."""

    def __init__(self, home: Home, function: Callable[..., Result], **arguments: Any) -> None:
        home.folder.mkdir(parents=True, exist_ok=True)
        self._name = f"{function.__module__}:{function.__name__}"
        self._process = start_python(["-m", "bench.child", self._name], home.environment())
        self._send_line(json.dumps(arguments, default=str))

    def ready(self) -> None:
        """Return when it has imported everything."""
        if self._read_line() != "ready":
            self._fail()

    def go(self) -> None:
        """Let it run."""
        self._send_line("go")

    def result(self) -> Result:
        """What the function gave. The process is still there: see `let_end`. Raises: BenchFailed."""
        line = self._read_line()
        if not line:
            self._process.wait(CHILD_TIMEOUT_S)
            self._fail()
        found: Result = json.loads(line)
        return found

    def let_end(self) -> None:
        """Let the process end."""
        self._send_line("end")

    def ended(self) -> None:
        """Return when it has ended. Raises: BenchFailed."""
        if self._process.wait(CHILD_TIMEOUT_S) != 0:
            self._fail()

    def kill(self) -> None:
        """Leave nothing of it, whatever it does."""
        self._process.kill()
        self._process.communicate()

    def _send_line(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            print(line, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            self._fail()

    def _read_line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def _fail(self) -> None:
        raise BenchFailed(f"the process of {self._name} ended with {self._process.poll()}; see above.")


def run(home: Home, function: Callable[..., Result], **arguments: Any) -> Result:
    """Run `function` in a process of its own, and return what it gave once that process has ended."""
    return run_together([(home, arguments)], function)[0]


def run_together(each: Sequence[tuple[Home, dict[str, Any]]], function: Callable[..., Result]) -> list[Result]:
    """Run `function` in several processes: all start once each has imported everything, end once each has run it."""
    children = [Child(home, function, **arguments) for home, arguments in each]
    try:
        for child in children:
            child.ready()
        for child in children:
            child.go()
        results = [child.result() for child in children]
        # Only now: to take apart all that it imported costs a process more than many a function that is measured here.
        for child in children:
            child.let_end()
        for child in children:
            child.ended()
    finally:
        for child in children:
            child.kill()
    return results


class Laps:
    """Seconds of each stretch of a measured function."""

    def __init__(self) -> None:
        self.start = self._last = time.perf_counter()
        self.parts: dict[str, float] = {}
        used = resource.getrusage(resource.RUSAGE_SELF)
        self._cpu_before = used.ru_utime + used.ru_stime
        self._read_before = used.ru_inblock

    def lap(self, name: str) -> None:
        """The stretch that ends here is called `name`."""
        now = time.perf_counter()
        self.parts[name] = now - self._last
        self._last = now

    def result(self) -> Result:
        """All stretches and their sum, as the result of a measured function."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "seconds": self._last - self.start,
            "parts": self.parts,
            "peak_bytes": peak_bytes(),
            "cpu_s": used.ru_utime + used.ru_stime - self._cpu_before,
            "read_from_disk_bytes": (used.ru_inblock - self._read_before) * BLOCK_BYTES,
        }


def peak_bytes() -> int:
    """The most memory that this process has had, resident."""
    return _bytes_of("self", "VmHWM")


def resident_bytes(pid: int) -> int:
    """The memory that a process has now, resident."""
    return _bytes_of(pid, "VmRSS")


def _bytes_of(pid: int | str, field_name: str) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(f"{field_name}:"))


def settle() -> None:
    """Have the disk done with what came before, so that nobody waits for another's bytes."""
    os.sync()


def timed(action: Callable[[], object]) -> float:
    """Seconds that `action` takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def bytes_in(folder: Path) -> int:
    """The sizes of all files below `folder`."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def middle(results: Sequence[Result], part: str) -> float:
    """The median over rounds of one stretch."""
    return statistics.median(float(result["parts"][part]) for result in results)


def at_least(floor: float) -> str:
    """The reach of a rate, in words."""
    return f"at least {floor:g} x the bare write side" if floor else "told beside the bare write side"


def parts_of(results: Sequence[Result]) -> dict[str, float]:
    """The median over rounds of each stretch, for a figure's detail; and what tells a disturbed round."""
    return {
        **{f"{part}_s": middle(results, part) for part in results[0]["parts"]},
        "cpu_s": statistics.median(result["cpu_s"] for result in results),
        "read_from_disk_bytes": [result["read_from_disk_bytes"] for result in results],
    }


def remove(folder: Path) -> None:
    """Delete a tree of few files at once; see the package about many."""
    shutil.rmtree(folder, ignore_errors=True)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value
