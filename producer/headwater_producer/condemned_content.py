"""Staged bytes of one process whose objects are condemned: no event may name those any more."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from headwater_blobs.port import BlobStore
from headwater_schemas.entries import BlobLocation

from headwater_producer.staged_blobs import StagedBlob
from headwater_producer.stored_content import StoredContent


@dataclass(slots=True)
class Renounced:
    """What was in hand, in objects that turned out to be condemned."""

    gone: list[StagedBlob] = field(default_factory=list)  # their bytes go with the object
    sizes: dict[bytes, int] = field(default_factory=dict)  # of contents that were published there for somebody


class CondemnedContent:
    """Content that was in hand, or relied on, in condemned objects. As long as those are there, it can be copied."""

    def __init__(self, store: BlobStore, stored: StoredContent) -> None:
        self._store = store
        self._stored = stored
        self._places: dict[bytes, BlobLocation] = {}

    def renounce(self, blobs: Iterable[StagedBlob], now_s: float) -> Renounced:
        """Find those of `blobs` that are condemned, and note that they are no objects any more.

        The projection is asked about what was staged or asked about some time ago. Cost: a statement for each project.
        """
        due = [blob for blob in blobs if blob.checked_s <= now_s - self._stored.trusted_s]
        condemned = self._stored.condemned(name for blob in due for name in blob.objects)
        found = Renounced()
        for blob in due:
            blob.checked_s = now_s
            is_gone = not self._store.outlives(blob.staged, condemned)
            counted = blob.unpublish(blob.objects if is_gone else condemned)
            found.sizes |= {d: blob.ranges.sizes[d] for d in counted if d in blob.ranges}  # others were forgotten since
            if is_gone:
                found.gone.append(blob)
                name = blob.staged.name or ""
                self._places |= {d: BlobLocation(name, at, size) for d, (at, size) in blob.ranges.items() if name}
        return found

    def note(self, relied_on: Mapping[bytes, BlobLocation]) -> None:
        """An event was refused that said that its content is there."""
        self._places.update(relied_on)

    def places(self, wanted: Iterable[bytes]) -> dict[bytes, BlobLocation]:
        """Where those of these contents may still be read that were in such objects."""
        return {digest: self._places[digest] for digest in wanted if digest in self._places}

    def forget(self, contents: Iterable[bytes]) -> None:
        """Nobody needs these any more."""
        for digest in contents if self._places else ():
            self._places.pop(digest, None)

    def clear(self) -> None:
        """Forget all of it."""
        self._places.clear()
