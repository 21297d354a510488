"""A version that one writer commits: the entries that differ from the nearest version, and what became of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from headwater_consumer import queries
from headwater_producer.commits import CommitVersion, SentCommit, send_commit
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobMissing, EventRejected, Reason
from headwater_schemas.events import DraftDiscarded
from headwater_schemas.names import LATEST
from headwater_stores.telling.progress import counted, format_bytes, notify

from headwater._commit.outcomes import Outcomes
from headwater._commit.record import CommitRecord
from headwater._commit.session import WriteSession
from headwater._commit.tasks import Committed, ContentTask
from headwater._commit.write_queue import WriteQueue
from headwater._content.content import ContentDelta

SMALL_LISTING = 64  # entries; sending them again is faster than finding what differs
# What may have happened to the base while the draft was on its way; the commit succeeds without a base.
_BASE_IS_GONE = (Reason.BASE_UNKNOWN, Reason.DRAFT_UNKNOWN)


class CommitTask(ContentTask[CommitVersion]):
    """A version that one writer commits."""

    def __init__(self, queue: WriteQueue, session: WriteSession, record: CommitRecord, command: CommitVersion) -> None:
        super().__init__(queue, session, record, command)
        self._inherited = record.attributes.inherited  # a new version has them; an existing version keeps its own
        self._difference: ContentDelta | None = None
        self._with_base = True

    @property
    def needs_prior_outcomes(self) -> bool:  # type: ignore[override]
        """What a large one must send depends on what earlier tasks became."""
        return self._content.count > SMALL_LISTING

    @property
    def _is_sent_whole(self) -> bool:
        """Whether the difference from another version is not looked for. Equal content is the same version anyway."""
        content = self._content
        return content.base is None and content.count <= SMALL_LISTING and not self._inherited

    def _resolve_content(self, outcomes: Outcomes) -> bool:
        assert self._sent is not None
        outcome = outcomes.of_draft(self._sent.collection, self._sent.draft)
        committed = None if outcome is None else Committed.of(outcome)
        if committed is None:
            return self._resolve_rejected(outcomes)
        self._forget_staged(self._sent.locations)
        if not self._session.quiet:
            self._report(committed)
        self._warn_if_ignored(committed)
        self.succeed(committed)
        return True

    def _forget_staged(self, handed_over: Mapping[bytes, BlobLocation]) -> None:
        """Let go of all copies of the version's content, also where somebody else has stored it meanwhile."""
        others = (digest for digest in self._content.files.digests.values() if digest not in handed_over)
        self._record.stager.forget(handed_over, stored=others)

    def _resolve_rejected(self, outcomes: Outcomes) -> bool:
        sent = self._sent
        assert sent is not None
        try:
            outcomes.raise_rejection(sent.events)
        except EventRejected as rejected:
            if self._is_condemned(rejected):
                return False
            if self._with_base and self._content.base is None and rejected.reason in _BASE_IS_GONE:
                self._with_base = False
                self._send_content()
                return False
            raise
        raise self._blocked()

    def _store_again(self) -> bool:
        before = self._sent
        is_stored = super()._store_again()
        if is_stored and before is not None and any(sent.is_confirmed for sent in before.events):
            # All was sent again, as another draft. Of this one a server may have taken no more than its opening.
            self._session.producer.send([DraftDiscarded(collection=before.collection, draft=before.draft)])
        return is_stored

    def _publish(self, command: CommitVersion) -> SentCommit:
        return send_commit(command, self._record.stager, self._session.producer, restore=self._restore)

    def _plan(self) -> CommitVersion:
        """Send only the difference from the nearest version: one with the same content, the draft's own base, or else
        the latest."""
        if not self._with_base or self._is_sent_whole:
            return self._full_command()
        reads, collection = self._session.reads, self._command.collection
        digest = self._command.expected_digest or ""
        same = reads.version_with_digest(collection, digest)
        if same is not None:
            self._difference = ContentDelta(digest, (), ())
            self._rely_on(digest)
            not_given: dict[str, Any] = dict.fromkeys(self._inherited)
            return replace(self._command, base=same, files={}, **not_given)
        content = self._content
        if content.base is not None:
            self._difference = ContentDelta(content.base.digest, [*content.files, *content.references], content.removed)
            return self._full_command()
        latest = reads.resolve_version(collection, LATEST)
        info = None if latest is None else reads.version_info(collection, latest)
        return self._full_command() if info is None else self._shorter_command(info)

    def _shorter_command(self, base: queries.VersionInfo) -> CommitVersion:
        """The difference from `base`, or everything where that is less."""
        self._difference = self._difference_from(base)
        changed, removed = self._difference.changed, self._difference.removed
        if len(changed) + len(removed) >= self._content.count:
            return self._full_command()
        self._rely_on(base.digest)
        files, references = self._content.files, self._content.references
        return replace(
            self._command,
            base=base.version,
            files=files.part(changed),
            executable=self._content.executable,
            references=[references[path] for path in changed if path in references],
            removed=removed,
        )

    def _rely_on(self, digest: str) -> None:
        """The commit inherits content of the version with this digest. What the store lost of it is looked for.

        Raises: BlobMissing for content that cannot be stored anew.
        """
        stager, project = self._record.stager, self._command.project
        if self._session.whole_versions.has(stager, project, digest):
            return
        files = self._content.files
        if gone := set(stager.find_lost(project, files.digests.values())):
            self._restore(gone)
            gone = set(stager.find_lost(project, gone))
        path = next((path for path, digest in files.digests.items() if digest in gone), None)
        if path is not None:
            raise BlobMissing(
                f"{path!r} cannot be logged to {self._command.collection}: the store has lost its content "
                f"{digests.to_text(files[path][0])}. Add it again from a file that has it."
            )

    def _difference_from(self, base: queries.VersionInfo) -> ContentDelta:
        known = self._content.known_delta
        if known is not None and known.digest == base.digest:
            return known
        changed, removed = self._content.identities(), []
        for paths, identities in self._session.reads.listing(base.layers):
            for path, before in zip(paths, identities, strict=True):
                now = changed.get(path)
                if now is None:
                    removed.append(path)
                elif now == before:
                    del changed[path]
        return ContentDelta(base.digest, list(changed), removed)

    @property
    def _why_stored(self) -> str:
        """Why a commit without a new version stored bytes: its version was known, or another writer was faster."""
        is_known = self._difference is not None and not self._difference.changed
        return "that the store had lost stored again" if is_known else "stored"

    def _report(self, committed: Committed) -> None:
        in_vain = {} if self._sent is None else self._record.stager.sent_in_vain(self._sent.locations)
        self._new_contents -= len(in_vain)
        self._new_bytes -= sum(in_vain.values())
        version = f"v{committed.version}"
        name = f"{self._session.shown(self._command.collection)}:{version}"
        if committed.deduplicated:
            stored = f"; {format_bytes(self._new_bytes)} {self._why_stored}" if self._new_bytes else ""
            notify(f"{name} has this content already, no new version; latest → {version}{stored}")
            return
        total = self._content.count
        new = self._new_count(committed, total)
        gone = len(self._difference.removed) if self._difference is not None else 0
        removed = f", {gone:,} removed" if gone else ""
        notify(f"{name}, {new:,} of {counted(total, 'file')} new{removed}, {format_bytes(self._new_bytes)} stored")

    def _new_count(self, committed: Committed, total: int) -> int:
        """How many entries differ from the base; where all of them were sent, how many brought new content."""
        if self._difference is not None:
            return len(self._difference.changed)
        return total if not committed.version else min(total, self._new_contents + len(self._content.references))
