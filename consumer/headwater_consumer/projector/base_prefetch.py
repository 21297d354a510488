"""Which entries of their bases the drafts that a batch seals will be compared and merged with.

A hint, as in `prefetch`: what is missing here is asked for when it is needed, draft by draft.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product

from headwater_schemas.events import DraftEvent, DraftOpened, EntryAdded, EntryRemoved, Event, VersionCommitted

from headwater_consumer.projector.prefetch import RowKey
from headwater_consumer.projector.state import State
from headwater_consumer.rows import DraftRow, LayerChain, LayerRow, VersionRow

LAYER_ROWS_MAX = 128  # smaller layers are loaded whole: they are likely to be merged
ENTRIES_MAX = 20_000  # of all bases of a batch


@dataclass(slots=True)
class _SealedDraft:
    """What a batch of events says about one draft."""

    base: int | None = None
    paths: list[str] = field(default_factory=list)
    is_sealed: bool = False


@dataclass(slots=True)
class BaseEntries:
    """Entries of sealed layers."""

    layers: list[int] = field(default_factory=list)  # all of these
    keys: list[tuple[int, str]] = field(default_factory=list)  # those of other layers, by (layer, path)

    def add(self, layer: LayerRow, paths: set[str]) -> None:
        """Add those of a layer that a draft with these paths is compared with, if they are not too many."""
        if layer.row_count <= LAYER_ROWS_MAX:
            self.layers.append(layer.layer)
        elif len(self.keys) + len(paths) <= ENTRIES_MAX:
            self.keys += product((layer.layer,), paths)


def base_layer_keys(events: Iterable[Event], state: State) -> Iterator[RowKey]:
    """The rows of the layers of all bases. The rows of drafts and bases are in `state`."""
    for chains, _ in _bases(events, state):
        yield from ((LayerRow, (layer,)) for chain in chains for layer in chain)


def base_entries(events: Iterable[Event], state: State) -> BaseEntries:
    """The entries to load. The rows of drafts, bases and layers are in `state`."""
    found = BaseEntries()
    for chains, paths in _bases(events, state):
        for number in dict.fromkeys(layer for chain in chains for layer in chain):
            layer = state.get(LayerRow, number)
            if layer is not None and len(found.layers) * LAYER_ROWS_MAX < ENTRIES_MAX:
                found.add(layer, paths)
    return found


def _bases(events: Iterable[Event], state: State) -> Iterator[tuple[list[LayerChain], set[str]]]:
    """For each collection of which a draft with a base is sealed: the chains of these bases, and the drafts' paths.

    The base of one draft may be sealed by this batch as well, from a draft with a base: the paths of all drafts are
    looked up in the chains of all.
    """
    for collection, drafts in _sealed_drafts(events, state).items():
        versions = [state.get(VersionRow, collection, base) for base in {draft.base for draft in drafts}]
        chains = [version.chain() for version in versions if version is not None]
        if chains:
            yield chains, {path for draft in drafts for path in draft.paths}


def _sealed_drafts(events: Iterable[Event], state: State) -> dict[str, list[_SealedDraft]]:
    """The drafts with a base that the events seal, by collection."""
    drafts: dict[tuple[str, str], _SealedDraft] = defaultdict(_SealedDraft)
    for event in events:
        if not isinstance(event, DraftEvent):
            continue
        draft = drafts[event.collection, event.draft]
        if isinstance(event, DraftOpened):
            draft.base = event.base
        elif isinstance(event, EntryAdded):
            draft.paths += [*event.files.paths, *(reference.path for reference in event.references)]
        elif isinstance(event, EntryRemoved):
            draft.paths += event.paths
        elif isinstance(event, VersionCommitted):
            draft.is_sealed = True
    found: dict[str, list[_SealedDraft]] = defaultdict(list)
    for (collection, name), draft in drafts.items():
        if not draft.is_sealed:
            continue
        if draft.base is None and (row := state.get(DraftRow, collection, name)) is not None:
            draft.base = row.base
        if draft.base is not None:
            found[collection].append(draft)
    return found
