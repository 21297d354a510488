"""Draw single faults from the core at random, and say which of them the fast tests notice.

python -m tests.mutants --seed 0 --count 100        prints one line a fault, then a summary
python -m tests.mutants --only producer/ --list     shows what would be drawn

Results are kept in .cache/mutants, so that a run can be stopped and started again.
"""

import argparse
import random
import signal
import sys
from collections import Counter
from pathlib import Path

from tests.mutants.faults import Fault, faults_in
from tests.mutants.records import Records
from tests.mutants.selection import concerning, core_modules, part_of
from tests.mutants.trial import SURVIVED, Copy, Trial, copied

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / ".cache" / "mutants" / "results.jsonl"
COUNT = 100
LIMIT_FACTOR, LIMIT_MORE_S = 2.0, 60.0  # beyond what the tests take without a fault, on a machine that may be busy
LIMIT_S_MAX = 600.0


def main() -> int:
    """Draw, try and summarize. The exit code says nothing about survivors: they are for people to judge."""
    arguments = _arguments()
    for number in (signal.SIGINT, signal.SIGTERM):  # also in the background of a shell, which ignores Ctrl-C
        signal.signal(number, signal.default_int_handler)
    modules = [path for path in core_modules(ROOT) if path.startswith(arguments.only)]
    with copied(ROOT) as tree:
        faults = [fault for path in modules for fault in faults_in(path, tree.text(path))]
        drawn = random.Random(arguments.seed).sample(faults, min(arguments.count, len(faults)))
        print(f"{len(drawn)} of {len(faults)} faults, drawn with seed {arguments.seed}.", flush=True)
        if arguments.list:
            for fault in drawn:
                print(f"{fault.path}:{fault.line}  {fault.description(tree.text(fault.path))}")
        else:
            _try_all(tree, drawn, Records(RESULTS), again=arguments.again)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=COUNT, help="how many to draw")
    parser.add_argument("--only", default="", help="only modules whose path begins so")
    parser.add_argument("--list", action="store_true", help="show what is drawn, and try nothing")
    parser.add_argument("--again", action="store_true", help="try those again that survived before")
    return parser.parse_args()


def _try_all(tree: Copy, drawn: list[Fault], records: Records, *, again: bool) -> None:
    limits: dict[str, float] = {}
    results: list[tuple[Fault, Trial]] = []
    try:
        for number, fault in enumerate(drawn, 1):
            text = tree.text(fault.path)
            trial = records.get(fault, text)
            if trial is None or (again and trial.verdict == SURVIVED):
                trial = tree.run_with(fault, concerning(fault.path), _limit_s(tree, fault.path, limits))
                records.add(fault, text, trial)
            results.append((fault, trial))
            by = f"  [{trial.by}]" if trial.by else ""
            line = f"{trial.verdict:9} {trial.seconds:6.1f} s  {fault.path}:{fault.line}  {fault.description(text)}{by}"
            print(f"{number:4}  {line}", flush=True)
    except KeyboardInterrupt:
        print(f"Stopped after {len(results)}; the next run with this seed goes on from there.")
    _summarize(tree, results)


def _limit_s(tree: Copy, path: str, limits: dict[str, float]) -> float:
    """How long the tests of a module may take. Ends the program where they fail without any fault."""
    part = part_of(path)
    if part not in limits:
        trial = tree.run(concerning(path), LIMIT_S_MAX)
        if trial.verdict != SURVIVED:
            sys.exit(f"The tests of {part} {trial.verdict} without a fault in {trial.seconds:.0f} s: {trial.by}")
        limits[part] = min(LIMIT_S_MAX, LIMIT_FACTOR * trial.seconds + LIMIT_MORE_S)
        print(f"      the tests of {part} take {trial.seconds:.0f} s without a fault", flush=True)
    return limits[part]


def _summarize(tree: Copy, results: list[tuple[Fault, Trial]]) -> None:
    verdicts = Counter(trial.verdict for _, trial in results)
    print(f"\n{len(results)} faults: " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())))
    for room in sorted({fault.path.split("/")[0] for fault, _ in results}):
        of_room = [trial for fault, trial in results if fault.path.startswith(f"{room}/")]
        print(f"  {room}: {sum(trial.verdict != SURVIVED for trial in of_room)} of {len(of_room)} noticed")
    for fault, trial in sorted(results, key=lambda result: result[0]):
        if trial.verdict == SURVIVED:
            print(f"  survived: {fault.path}:{fault.line}  {fault.description(tree.text(fault.path))}")


if __name__ == "__main__":
    sys.exit(main())
