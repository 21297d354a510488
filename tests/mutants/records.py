"""What became of each fault, kept on the disk, so that a run that was stopped goes on where it was."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from tests.mutants.faults import Fault
from tests.mutants.trial import Trial


class Records:
    """One line of JSON for each fault that was tried; of two about one fault the later counts."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, Trial] = {}
        if file.exists():
            for line in file.read_text("utf-8").splitlines():
                entry = json.loads(line)
                self._known[entry["fault"]] = Trial(**entry["trial"])

    def get(self, fault: Fault, text: str) -> Trial | None:
        """What became of it, if it was tried in a module of this text."""
        return self._known.get(_key(fault, text))

    def add(self, fault: Fault, text: str, trial: Trial) -> None:
        """Keep what became of it."""
        key, place = _key(fault, text), f"{fault.path}:{fault.line}"
        self._known[key] = trial
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with open(self._file, "a", encoding="utf-8") as file:
            file.write(json.dumps({"fault": key, "place": place, "trial": asdict(trial)}) + "\n")


def _key(fault: Fault, text: str) -> str:
    described = json.dumps([fault.path, text, fault.start, fault.end, fault.replacement])
    return hashlib.sha256(described.encode()).hexdigest()
