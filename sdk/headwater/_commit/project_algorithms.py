"""Digest algorithms of projects: which one each has, and that nobody chooses another once something is logged there.

One content must have one digest in a project, but its collections are in several partitions of the log, between which
there is no order. So whoever logs the first content of a project says with which algorithm, under the project's key,
as somebody does who chooses one. The first counts. The content is sent once that was accepted.
"""

from headwater_consumer.queries.reads import Reads
from headwater_producer.producer import Producer, SentEvent
from headwater_schemas import metadata
from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.events import SettingsChanged
from headwater_schemas.settings import DEFAULTS, DIGEST_ALGORITHM


class ProjectAlgorithms:
    """What one process knows of the digest algorithms of projects."""

    def __init__(self, reads: Reads, producer: Producer, *, default: str = DEFAULTS[DIGEST_ALGORITHM]) -> None:
        """`default`: of a project that has none yet."""
        self._reads = reads
        self._default = default
        self._producer = producer
        self._chosen: dict[str, str] = {}  # project → its algorithm, which cannot change any more
        self._heard: dict[str, str] = {}  # project → its algorithm, as last heard
        self._claims: dict[tuple[str, str], SentEvent] = {}  # by project and algorithm

    def of(self, project: str) -> str:
        """The algorithm for new content of "entity/project". While the database is away, what it said last."""
        try:
            self._heard[project] = self._choice(project) or self._default
        except StoreUnavailable:
            if project not in self._heard:
                raise
        return self._heard[project]

    def claim(self, project: str, algorithm: str) -> SentEvent | None:
        """The event that must be accepted before content with digests of `algorithm` is sent; None where none is.

        All that is logged until its outcome is known waits for the same one, so that nothing overtakes anything. It is
        refused where another algorithm was chosen before. Raises: as `Producer.send`; StoreUnavailable.
        """
        claim = self._claims.get((project, algorithm))
        if claim is not None and claim.session == self._producer.session:
            return claim
        if self._choice(project) == algorithm:
            return None
        settings = metadata.encode({DIGEST_ALGORITHM: algorithm}, "settings")
        (claim,) = self._producer.send([SettingsChanged(project=project, settings=settings)])
        self._claims[project, algorithm] = claim
        return claim

    def settle(self, project: str, algorithm: str) -> bool:
        """Whether a claim counts that was projected and not refused; if not, it waits behind a dead letter."""
        if self._choice(project) != algorithm:
            return False
        self._claims.pop((project, algorithm), None)
        return True

    def _choice(self, project: str) -> str | None:
        if project not in self._chosen:
            choice = self._reads.chosen_algorithm(project)
            if choice is None:
                return None
            self._chosen[project] = choice
        return self._chosen[project]
