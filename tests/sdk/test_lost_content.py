"""What the store loses under the feet of its users is stored again as soon as somebody adds it who has it."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import headwater
import pytest
from headwater._commit.client import client_for, forget_client
from headwater._commit.healing import Healing, heal_from_copies
from headwater_blobs.port import PACKED_FILE_BYTES_MAX
from headwater_producer import stored_content
from headwater_producer.commits import CommitVersion, send_commit
from headwater_producer.stager import BlobStager
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobCorrupt, BlobMissing, ContentError
from headwater_stores.config.settings import read_settings
from headwater_stores.lost_content import lost_objects

from tests.sdk.stat_caches import trusting_soon as trusting_soon
from tests.sdk.stat_caches import wait_until_trusted
from tests.support.bytes_read import BytesRead
from tests.support.modes import OVER_HTTP
from tests.support.server_host import restart
from tests.support.stores import StoreUnderTest

LARGE = os.urandom(PACKED_FILE_BYTES_MAX + 1)
CONTENTS = {"a.txt": b"first", "b/c.txt": b"second", "b/empty": b"", "large.bin": LARGE}


Damage = Callable[[StoreUnderTest, str], None]


def delete(store: StoreUnderTest, name: str) -> None:
    store.remove(name)


def truncate(store: StoreUnderTest, name: str) -> None:
    store.write(name, store.read(name)[:2])


def rot(store: StoreUnderTest, name: str) -> None:
    content = store.read(name)
    store.write(name, bytes(byte ^ 1 for byte in content[:64]) + content[64:])


each_loss = pytest.mark.parametrize("lose", [delete, truncate])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for path, content in CONTENTS.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def another_process() -> None:
    """What this process knows of the store is forgotten, as when the next script runs."""
    forget_client(client_for(read_settings(), create=False))


def log(folder: Path, name: str = "data", policy: "headwater.Policy" = "mutable") -> headwater.Artifact:
    another = headwater.Artifact(name, "dataset")
    another.add_dir(folder, policy=policy)
    saved = another.save()
    another_process()
    return saved


def downloaded(name: str, root: Path) -> dict[str, bytes]:
    version = headwater.Api().artifact(name)
    folder = Path(version.download(root))
    another_process()
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def damage_all(store: StoreUnderTest, damage: Damage) -> list[str]:
    """Also of what a server saw a moment ago, and trusts for a minute: it begins anew."""
    before = store.objects()
    for name in before:
        damage(store, name)
    if store.mode == OVER_HTTP:
        restart(store.environment["HEADWATER_URL"], store.folder)
    return before


@each_loss
def test_a_folder_that_is_logged_again_brings_back_what_was_lost(
    store: StoreUnderTest, folder: Path, tmp_path: Path, lose: Damage
) -> None:
    first = log(folder)
    before = damage_all(store, lose)
    with pytest.raises(ContentError):
        downloaded("data:v0", tmp_path / "broken")

    again = log(folder)

    assert (again.version, again.digest) == ("v0", first.digest)
    assert len(set(store.objects()) - set(before)) == len(before), "what was lost is stored under new names"
    assert downloaded("data:v0", tmp_path / "whole") == CONTENTS


@pytest.mark.usefixtures("trusting_soon")
@each_loss
def test_a_folder_whose_files_are_known_to_be_unchanged_is_read_again_where_the_store_lost_them(
    store: StoreUnderTest, folder: Path, tmp_path: Path, lose: Damage
) -> None:
    wait_until_trusted()
    log(folder)
    log(folder)
    damage_all(store, lose)

    log(folder)

    assert downloaded("data:v0", tmp_path / "whole") == CONTENTS


@each_loss
def test_every_version_that_needs_lost_content_reads_it_where_it_is_stored_again(
    store: StoreUnderTest, folder: Path, tmp_path: Path, lose: Damage
) -> None:
    log(folder)
    log(folder, "other")
    (folder / "a.txt").write_bytes(b"changed")
    log(folder)
    damage_all(store, lose)
    (folder / "new.txt").write_bytes(b"new")

    log(folder)  # it has not the first content of a.txt

    assert downloaded("data:v2", tmp_path / "v2") == {**CONTENTS, "a.txt": b"changed", "new.txt": b"new"}
    assert downloaded("data:v1", tmp_path / "v1") == {**CONTENTS, "a.txt": b"changed"}
    with pytest.raises(ContentError):
        downloaded("data:v0", tmp_path / "v0")
    (tmp_path / "old.txt").write_bytes(CONTENTS["a.txt"])
    with headwater.init() as run:
        run.log_artifact(tmp_path / "old.txt", name="elsewhere", type="dataset").wait()
    assert downloaded("data:v0", tmp_path / "v0") == CONTENTS
    assert downloaded("other:v0", tmp_path / "other") == CONTENTS


@each_loss
def test_a_single_file_that_is_added_again_brings_back_what_was_lost(
    store: StoreUnderTest, folder: Path, tmp_path: Path, lose: Damage
) -> None:
    log(folder)
    damage_all(store, lose)

    with headwater.init() as run:
        artifact = headwater.Artifact("alone", "model")
        artifact.add_file(folder / "large.bin")
        run.log_artifact(artifact).wait()
    another_process()

    version = headwater.Api().artifact("data:v0")
    assert Path(version.get_entry("large.bin").download(tmp_path / "one")).read_bytes() == LARGE
    with pytest.raises(ContentError):
        version.get_entry("a.txt").download(tmp_path / "one")


def test_rotten_content_is_stored_again_where_the_files_are_verified(
    store: StoreUnderTest, folder: Path, tmp_path: Path
) -> None:
    first = log(folder)
    before = damage_all(store, rot)
    log(folder)
    assert store.objects() == before, "the store cannot tell by the size"
    with pytest.raises(BlobCorrupt):
        downloaded("data:v0", tmp_path / "broken")

    again = log(folder, policy="verify")

    assert (again.version, again.digest) == ("v0", first.digest)
    assert downloaded("data:v0", tmp_path / "whole") == CONTENTS
    sound = store.objects()
    log(folder, policy="verify")
    assert store.objects() == sound


@pytest.mark.usefixtures("trusting_soon")
def test_verifying_reads_files_whose_stat_numbers_did_not_change(
    store: StoreUnderTest, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_until_trusted()
    log(folder)
    log(folder)
    bytes_read = BytesRead(folder / "a.txt", monkeypatch)

    log(folder)
    assert bytes_read() == 0
    log(folder, policy="verify")
    assert bytes_read() == len(CONTENTS["a.txt"])


@pytest.mark.usefixtures("trusting_soon")
def test_a_commit_whose_content_is_lost_and_not_in_hand_fails_and_says_what_to_do(
    store: StoreUnderTest, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_content, "OBJECT_TRUSTED_S", 0.0)
    wait_until_trusted()
    log(folder)
    log(folder)
    artifact = headwater.Artifact("other", "dataset")
    artifact.add_dir(folder)  # known by the stat cache, and stored
    damage_all(store, delete)
    folder.rename(folder.with_name("elsewhere"))

    with pytest.raises(BlobMissing, match=r"'(a|b/c|large).*cannot be logged to team/animals/other: .*Add it again"):
        artifact.save()

    assert [found.name for found in headwater.Api().artifacts("dataset", "data")] == ["data:v0"]
    folder.with_name("elsewhere").rename(folder)
    another_process()
    log(folder, "other")


def test_a_draft_inherits_without_a_question_what_it_does_not_name(
    store: StoreUnderTest, folder: Path, tmp_path: Path
) -> None:
    log(folder)
    damage_all(store, delete)

    draft = headwater.Api().artifact("data:v0").new_draft()
    with draft.new_file("new.txt", "wb") as file:
        file.write(b"new")
    draft.save()

    assert draft.version == "v1"
    assert Path(draft.get_entry("new.txt").download(tmp_path / "one")).read_bytes() == b"new"


def log_copies() -> None:
    """Small files of which the writer does not know that they are stored: another pack has them, too."""
    client = client_for(read_settings(), create=False)
    unaware = BlobStager(client.stores.blobs, nothing_stored, algorithm=digests.XXH3, project="team/animals")
    files = dict(zip(("a.txt", "b/c.txt", "b/empty"), unaware.ingest([b"first", b"second", b""]), strict=True))
    sizes = {path: (digest, len(CONTENTS[path])) for path, digest in files.items()}
    command = CommitVersion(collection="team/animals/copy", type="dataset", base=None, files=sizes)
    send_commit(command, unaware, client.session.producer)
    client.session.confirm_projected()


@pytest.mark.on_stores  # looks at the objects of the store
def test_an_object_of_which_another_has_the_content_is_told_apart(store: StoreUnderTest, folder: Path) -> None:
    log(folder)
    before = store.objects()
    log_copies()
    for name in before:
        store.remove(name)

    lost = lost_objects(client_for(read_settings(), create=False).stores, verify=False)

    assert [(one.name, one.problem, one.has_copies) for one in lost] == [
        (name, "missing", name.startswith("packs/")) for name in before
    ]
    assert {version for one in lost for version in one.versions} == {"team/animals/data:v0", "team/animals/copy:v0"}


def heal(*, verify: bool) -> Healing:
    client = client_for(read_settings(), create=False)
    done = heal_from_copies(client.stores, client.session.producer, verify=verify)
    client.session.confirm_projected()
    another_process()
    return done


@pytest.mark.on_stores  # only operators heal from copies
@pytest.mark.parametrize(("lose", "verify"), [(delete, False), (truncate, False), (rot, True)])
@pytest.mark.parametrize("which", ["the first", "the other"])
def test_what_an_object_lost_is_stored_anew_where_another_has_it(
    store: StoreUnderTest, folder: Path, tmp_path: Path, lose: Damage, which: str, verify: bool
) -> None:
    log(folder)
    (first,) = packs = [name for name in store.objects() if name.startswith("packs/")]
    log_copies()
    (other,) = {name for name in store.objects() if name.startswith("packs/")}.difference(packs)
    lose(store, first if which == "the first" else other)

    healing = heal(verify=verify)

    assert (healing.lost, healing.healed) == (0, 2 if lose is rot else 3)  # nothing of an empty file can rot
    assert downloaded("data:v0", tmp_path / "data") == CONTENTS
    assert downloaded("copy:v0", tmp_path / "copy") == {p: c for p, c in CONTENTS.items() if c is not LARGE}
    objects = store.objects()
    assert heal(verify=verify) == Healing(healed=0, lost=0)
    assert store.objects() == objects


@pytest.mark.on_stores  # only operators heal from copies
def test_what_no_other_object_has_whole_stays_lost_and_is_counted(store: StoreUnderTest, folder: Path) -> None:
    log(folder)
    log_copies()
    for name in store.objects():
        rot(store, name)
    before = store.objects()

    assert heal(verify=True) == Healing(healed=0, lost=3)
    assert store.objects() == before


def nothing_stored(
    project: str, digests: Sequence[bytes], *, without: Collection[str] = ()
) -> Mapping[bytes, BlobLocation]:
    del project, digests, without
    return {}
