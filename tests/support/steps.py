"""Steps: what several writers say, in order, before it is written anywhere.

A step says what was meant; only `memory_log.write` makes records of it, because some events name positions (a dead
letter's), and one history can be written in many orders and to any number of partitions.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from headwater_schemas import events as types
from headwater_schemas import keys
from headwater_schemas.events import Event, Origin
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

CLOCK = datetime(2024, 1, 1, tzinfo=UTC)


class Damage:
    """Bytes of a known schema that do not decode."""


@dataclass(frozen=True, slots=True)
class Resolve:
    """A decision about the record of another step of the same key."""

    letter: int  # the step's number
    decision: str


@dataclass(frozen=True, slots=True)
class Purge:
    """The purge of a version by the deletion that another step made, or a resolution let be judged."""

    collection: str
    version: int
    deletion: int  # the step's number


@dataclass(frozen=True, slots=True)
class Step:
    """What one record says. The same step twice in a history is the same event, sent twice."""

    number: int  # which step of its history it is
    key: str  # the record's; the event's own, unless it was sent under another
    origin: Origin
    what: Event | Damage | Resolve | Purge

    @property
    def everywhere(self) -> bool:
        """Whether it is written to every partition: each judges it for itself."""
        return isinstance(self.what, types.BroadcastEvent)

    @property
    def is_administration(self) -> bool:
        """Whether events of other keys are judged by it."""
        return self.key.startswith((keys.PROJECT, keys.BROADCAST))

    @property
    def event_id(self) -> str:
        return keys.event_id(self.origin.session, self.key, self.origin.sequence)


History = list[Step]


@dataclass(slots=True)
class Teller:
    """Gives steps their numbers, and events their place in their writer's order."""

    steps: History = field(default_factory=list)
    lost: History = field(default_factory=list)  # never arrived
    _sequences: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    _told: int = 0

    def tell(
        self, what: Event | Damage | Resolve | Purge, *, session: str, key: str | None = None, lose: bool = False
    ) -> Step:
        """Somebody says something; with `lose` nobody hears it."""
        if key is None:
            assert not isinstance(what, Damage | Resolve | Purge)
            key = what.key
        sequence = self._sequences[session, key]
        if not isinstance(what, Damage):  # whoever wrote that was no writer of ours
            self._sequences[session, key] += 1
        step = Step(self._told, key, Origin(session=session, sequence=sequence, clock=CLOCK, author="ann"), what)
        self._told += 1
        (self.lost if lose else self.steps).append(step)
        return step

    def send_again_from(self, lost: Step) -> None:
        """What was lost, and then what was said after it by the same writer under the same key."""
        self.lost.remove(lost)
        said = {step.origin.sequence: step for step in self.steps if _stream(step) == _stream(lost)}
        later = [said[n] for n in sorted(said) if n > lost.origin.sequence]
        self.steps += [lost, *later]


def _stream(step: Step) -> tuple[str, str, bool]:
    return step.origin.session, step.key, isinstance(step.what, Damage)


def interleaved_anew(draw: Callable[[SearchStrategy[str]], str], history: Sequence[Step]) -> History:
    """The same history with another order between its keys. Administration stays where it is: all others go by it."""
    anew: History = []
    streams: dict[str, History] = defaultdict(list)

    def settle() -> None:
        while waiting := sorted(key for key, stream in streams.items() if stream):
            anew.append(streams[draw(st.sampled_from(waiting))].pop(0))

    for step in history:
        if step.is_administration:
            settle()
            anew.append(step)
        else:
            streams[step.key].append(step)
    settle()
    return anew
