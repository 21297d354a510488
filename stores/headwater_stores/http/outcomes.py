"""What became of what was written, as far as a server told it with its answer: who asks next need not ask it again."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headwater_consumer.queries.results import Answers, Outcome, RejectionInfo, SentRange
from headwater_schemas.positions import Cut

KNOWN_MAX = 64  # answers that nobody asked for yet

SentKey = tuple[str | None, str, int | None]  # session, key and sequence of an event


@dataclass(eq=False, slots=True)
class _Known:
    events: set[SentKey]
    answers: Answers


class KnownOutcomes:
    """Of one process. Each answer is given once: who asks again wants to know what is new. Safe to use from threads."""

    def __init__(self) -> None:
        self._known: deque[_Known] = deque(maxlen=KNOWN_MAX)

    def note(self, events: Iterable[SentKey], answers: Answers) -> None:
        """What the server told of these events."""
        self._known.append(_Known(set(events), answers))

    def take(self, cut: Cut, drafts: Sequence[tuple[str, str]], ranges: Sequence[SentRange]) -> Answers | None:
        """What is known of all of this, once `cut` was projected; None where it is not all known."""
        offsets: dict[int, int] = {}
        found, rejections = dict[tuple[str, str], Outcome](), list[RejectionInfo]()
        wanted: set[SentKey] = {
            (one.session, one.key, sequence)
            for one in ranges
            for sequence in range(one.first_sequence, one.last_sequence + 1)
        }
        used = [known for known in list(self._known) if not known.events.isdisjoint(wanted)]
        for known in used:
            offsets |= {p: max(offset, offsets.get(p, offset)) for p, offset in known.answers.offsets.items()}
            found |= {draft: known.answers.outcomes[draft] for draft in drafts if draft in known.answers.outcomes}
            rejections += [one for one in known.answers.rejections if (one.session, one.key, one.sequence) in wanted]
            wanted -= known.events
        if wanted or len(found) < len(set(drafts)) or not Cut(cut.generation, offsets).includes(cut):
            return None
        for known in used:
            self._forget(known)
        return Answers(offsets, found, rejections)

    def _forget(self, known: _Known) -> None:
        if known in self._known:  # no other thread was faster
            self._known.remove(known)
