"""How a folder becomes a blob store and is opened, and what is left alone."""

import json
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from headwater_blobs.folder import FORMAT, MARKER, FolderBlobStore
from headwater_schemas.errors import FormatTooNew, StoreNotOurs, StoreUnavailable

from tests.embedded.folder_stores import everything_in, put
from tests.embedded.folder_stores import store as store
from tests.support.warm_processes import warm

WAIT_S = 60.0


def test_opening_an_empty_or_absent_folder_makes_a_store_that_keeps_its_identity(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    for folder in (tmp_path / "empty", tmp_path / "deep" / "down"):
        made = FolderBlobStore.open(folder)
        assert FolderBlobStore.open(folder, create=False).identity == made.identity
        assert len(made.identity) == 32


@pytest.mark.parametrize("options", [{"create": False}, {"read_only": True}])
def test_opening_without_making_says_that_there_is_none_and_makes_nothing(
    tmp_path: Path, options: dict[str, bool]
) -> None:
    with pytest.raises(StoreUnavailable, match=r"no blob store in .*/absent"):
        FolderBlobStore.open(tmp_path / "absent", **options)
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("create", [True, False])
def test_a_folder_with_other_content_is_left_alone(tmp_path: Path, create: bool) -> None:
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "notes.txt").write_text("mine")
    before = everything_in(tmp_path)

    with pytest.raises(StoreNotOurs, match=r"holds 'staging'.*nothing was changed"):
        FolderBlobStore.open(tmp_path, create=create)
    assert everything_in(tmp_path) == before


def test_a_path_to_a_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    with pytest.raises(StoreNotOurs, match="not a folder"):
        FolderBlobStore.open(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    "marker",
    ["", "{", "null", "[]", "7", "{}", '{"kind": "another", "format": 1, "identity": "x"}', "[" * 4000]
    + [json.dumps({"kind": "headwater blob store", "format": f, "identity": "x"}) for f in (0, -1, "1", None)]
    + [json.dumps({"kind": "headwater blob store", "format": FORMAT, "identity": 7})],
)
def test_a_marker_that_is_not_ours_is_left_alone(tmp_path: Path, marker: str) -> None:
    (tmp_path / MARKER).write_text(marker)

    with pytest.raises(StoreNotOurs, match=MARKER):
        FolderBlobStore.open(tmp_path)
    assert everything_in(tmp_path) == {MARKER: marker.encode()}


def test_a_newer_format_is_refused_with_what_to_do(store: FolderBlobStore) -> None:
    marker = Path(store.folder, MARKER)
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"format": FORMAT + 1}))

    with pytest.raises(FormatTooNew, match=rf"format {FORMAT + 1}.*up to {FORMAT}.*Upgrade"):
        FolderBlobStore.open(Path(store.folder))


def test_a_store_whose_maker_was_killed_after_the_marker_is_completed(store: FolderBlobStore) -> None:
    for name in ("staging", "objects"):
        Path(store.folder, name).rmdir()

    again = FolderBlobStore.open(Path(store.folder))

    assert again.read(*put(again, b"content")) == b"content"


def test_what_a_killed_maker_left_before_the_marker_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / f".{MARKER}-{'0' * 32}").write_text("{")

    FolderBlobStore.open(tmp_path)


def _open_and_tell(folder: str, results: Connection) -> None:
    results.send(FolderBlobStore.open(Path(folder)).identity)


def test_processes_that_make_one_store_at_once_agree_whose_it_is(tmp_path: Path) -> None:
    pipes = [warm.Pipe(duplex=False) for _ in range(8)]
    makers = [warm.Process(target=_open_and_tell, args=(str(tmp_path / "blobs"), send)) for _, send in pipes]
    for maker in makers:
        maker.start()
    for _, send in pipes:
        send.close()

    assert all(receive.poll(WAIT_S) for receive, _ in pipes), "no answer in time"
    identities = {receive.recv() for receive, _ in pipes}
    for maker in makers:
        maker.join(WAIT_S)

    assert len(identities) == 1
    assert {path.name for path in (tmp_path / "blobs").iterdir()} == {MARKER, "staging", "objects"}
