"""Where the archives of a store's log are: beside its content, in another bucket, or in a folder."""

import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from headwater_blobs.file_places import FilePlace, FolderPlace
from headwater_consumer.archive.archive import Archive
from headwater_consumer.archive.archived_records import Archives
from headwater_schemas.archive_files import BUCKET, MARKER, OWN_PREFIX
from headwater_schemas.errors import InvalidSettings, StoreMissing, StoreNotOurs
from headwater_schemas.object_names import FILES, PACKS

from headwater_stores.config.profile import Profile, bucket_profile
from headwater_stores.config.settings import Settings, read_settings, redact


def place_of(settings: Settings, target: str | None) -> FilePlace:
    """Where an archive is; without `target`, beside the content of the store.

    Raises: InvalidSettings; StoreMissing and StoreUnavailable for a bucket.
    """
    if target is not None:
        return _place_at(settings.profile, target)
    return place_beside_content(settings, OWN_PREFIX)


def place_beside_content(settings: Settings, prefix: str) -> FilePlace:
    """In the blob store, for files that are no objects. Raises: StoreMissing, StoreUnavailable for a bucket."""
    if settings.profile is not None:
        return _bucket_place(settings.profile, prefix)
    return FolderPlace(settings.store / "blobs" / prefix)


def own_place(profile: Profile) -> FilePlace:
    """Beside the content of a profile. Raises: StoreMissing, StoreUnavailable."""
    return _bucket_place(profile, OWN_PREFIX)


def archives_of(profile: Profile, generation: str) -> Archives:
    """The archives that may have what was deleted from the beginning of a profile's log.

    One is beside the content, and has the URLs of all others that the log was trimmed by. Raises: StoreUnavailable,
    StoreNotOurs, FormatTooNew.
    """
    own = own_place(profile)
    if own.get(MARKER) is None:
        own.close()
        return Archives([], [f"There is none at {own.url}."])
    found, absent = [Archive.open(own, create=False)], []
    for url in found[0].elsewhere(generation):
        try:
            found.append(Archive.open(_place_at(profile, url), create=False))
        except (StoreMissing, StoreNotOurs, InvalidSettings) as error:
            absent.append(str(error))
    return Archives(found, absent)


def note_archive(profile: Profile, generation: str, url: str) -> None:
    """Let whoever opens a profile's log find the archive that it is trimmed by. Raises: StoreError."""
    with closing(own_place(profile)) as own:
        if own.url != url:
            Archive.open(own, create=True).note_elsewhere(generation, url)


def _place_at(profile: Profile | None, target: str) -> FilePlace:
    if not target.startswith(BUCKET):
        return FolderPlace(_folder(target))
    bucket, _, prefix = target.removeprefix(BUCKET).partition("/")
    parts = prefix.strip("/").split("/")
    if not {PACKS, FILES}.isdisjoint(parts) or not all(part.strip(".") for part in parts if prefix):
        raise InvalidSettings(
            f"{redact(target)!r} is no place for an archive: write s3://bucket/prefix, with a prefix that is neither "
            f"{PACKS!r} nor {FILES!r} and has no empty parts."
        )
    return _bucket_place(profile or bucket_profile(os.environ), "/".join(parts), elsewhere=bucket)


def _bucket_place(profile: Profile, prefix: str, *, elsewhere: str | None = None) -> FilePlace:
    """`elsewhere`: another bucket, in which the profile's own prefix means nothing."""
    from headwater_blobs.s3.file_place import BucketPlace  # deferred: minio

    from headwater_stores.server_settings import s3_settings  # deferred: minio

    own = s3_settings(profile)
    return BucketPlace.open(own if elsewhere is None else replace(own, bucket=elsewhere, prefix=""), prefix)


def _folder(target: str) -> Path:
    if "://" in target and not target.startswith("file:"):
        raise InvalidSettings(
            f"{redact(target)!r} is no place for an archive. Write a folder, file:///absolute/path, or s3://bucket/prefix."
        )
    return read_settings(url=target).store
