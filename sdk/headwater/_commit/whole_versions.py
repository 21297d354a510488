"""Which versions are whole: the store has every object that their content needs.

The projection says which objects those are. A version is trusted for as long as each of its objects is: the store is
asked again after OBJECT_TRUSTED_S.
"""

import math
import time

from headwater_consumer.queries.reads import Reads
from headwater_producer.stager import BlobStager
from headwater_producer.stored_content import OBJECT_TRUSTED_S
from headwater_schemas.errors import StoreUnavailable

VERSIONS_KNOWN_MAX = 65_536  # remembered; beyond that, their objects are looked up once more


class WholeVersions:
    """The versions that one process knows to be whole."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._seen: dict[tuple[str, str], float] = {}  # project and digest → when the first of its objects was seen

    def has(self, stager: BlobStager, project: str, digest: str) -> bool:
        """Whether "entity/project" has a version with this content, and the store has all objects that it needs.

        While the store is away, the projection's word counts. Cost: reads the version's entries, unless it was seen
        lately.
        """
        if self._seen.get((project, digest), -math.inf) > time.monotonic() - OBJECT_TRUSTED_S:
            return True
        layers = self._reads.layers_with_digest(project, digest)
        if layers is None:
            return False
        try:
            seen = stager.objects_seen_at(self._reads.objects_of(layers))
        except StoreUnavailable:
            return True
        if seen is None:
            return False
        if len(self._seen) >= VERSIONS_KNOWN_MAX:
            self._seen.clear()
        self._seen[project, digest] = seen
        return True
