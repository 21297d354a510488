"""Content is rewritten, and deleted where it was, between a reader's look-up and its read."""

from collections.abc import Callable, Sequence

import pytest
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobMissing
from headwater_stores.contents import StoreContents

from tests.faults.collections import collect_all, rewrite_all
from tests.faults.processes import NAMESPACE, Started, Workspace, content
from tests.faults.stores import contents_of, opened

FILES, FILE_BYTES = 20, 1_000_000  # in two packs, read in five batches
DELETE = 'import headwater; headwater.Api().artifact("data:v0").delete(delete_aliases=True)'


def log(workspace: Workspace) -> None:
    workspace.fill("data", files=FILES, size=FILE_BYTES)
    workspace.command("log", "data", "--name", "data").succeeded()


def stopped_before_the_second_pack(workspace: Workspace) -> Started:
    reader = workspace.start_command("get", "data:v0", "got", at_point=("fetching", "before", "5", "PAUSE"))
    assert reader.read_line() == "stopped"
    return reader


def test_a_download_goes_on_where_its_packs_were_rewritten_and_deleted(shared_workspace: Workspace) -> None:
    log(shared_workspace)
    reader = stopped_before_the_second_pack(shared_workspace)
    rewrite_all(shared_workspace)

    reader.resume()
    ended = reader.wait().succeeded()

    got = shared_workspace.folder / "got"
    assert {file.name: file.read_bytes() for file in got.iterdir()} == {
        f"{i:05}.bin": content(f"0/{i}", FILE_BYTES) for i in range(FILES)
    }
    assert "damaged" not in ended.err


def test_a_download_of_a_version_that_was_deleted_meanwhile_says_so(shared_workspace: Workspace) -> None:
    log(shared_workspace)
    reader = stopped_before_the_second_pack(shared_workspace)
    shared_workspace.run(DELETE).succeeded()
    collect_all(shared_workspace)

    reader.resume()
    ended = reader.wait()

    assert ended.code == 3, "not found"
    *_, line = ended.err.strip().splitlines()
    assert f"{NAMESPACE}/data:v0 was deleted while it was read" in line
    assert "damaged" not in line


Read = Callable[[StoreContents, BlobLocation, bytes], bytes]
each_way = pytest.mark.parametrize(
    "read",
    [
        lambda contents, place, digest: contents.read(place, digest),
        lambda contents, place, digest: contents.read_many([(place, digest)])[0],
        lambda contents, place, digest: b"".join(map(bytes, contents.stream(place, digest))),
        lambda contents, place, _: b"".join(map(bytes, contents.stream_part(place, 0, place.size))),
    ],
    ids=["read", "read_many", "stream", "stream_part"],
)


def places_in(workspace: Workspace) -> Sequence[tuple[BlobLocation, bytes]]:
    with opened(workspace.behind().settings()) as stores:
        (info,) = stores.reads.version_infos(f"{NAMESPACE}/data")
        return list(contents_of(stores.database, info))


@each_way
def test_who_looked_a_place_up_before_reads_the_content_where_it_is_now(workspace: Workspace, read: Read) -> None:
    log(workspace)
    looked_up = places_in(workspace)
    gone = rewrite_all(workspace)
    rewrite_all(workspace)

    with opened(workspace.settings()) as stores:
        found = [read(StoreContents(stores), place, digest) for place, digest in looked_up]
        with pytest.raises(BlobMissing):
            stores.blobs.read(*looked_up[0])

    assert found == [content(f"0/{i}", FILE_BYTES) for i in range(FILES)]
    assert gone == {place.object_name for place, _ in looked_up}


@each_way
def test_what_is_nowhere_else_is_missing(workspace: Workspace, read: Read) -> None:
    log(workspace)
    (place, digest), *_ = places_in(workspace)
    collect_all(workspace)

    with opened(workspace.settings()) as stores, pytest.raises(BlobMissing, match=place.object_name):
        read(StoreContents(stores), place, digest)
