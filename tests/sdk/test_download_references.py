"""Downloads of what is elsewhere: web pages, files of this machine, entries of other versions."""

import hashlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import headwater
import pytest
from headwater._download import download
from headwater._download.download import download_entry, read_entry
from headwater._download.fetch import REFERENCES_AT_ONCE
from headwater.errors import ReferenceChanged
from headwater_schemas import digests
from headwater_schemas.entries import Reference
from headwater_schemas.errors import BlobCorrupt, InvalidFile, InvalidInput, NotFound
from headwater_schemas.events import VersionDeleted
from headwater_schemas.links import link_to

from tests.sdk.downloads import (
    LARGE,
    RECORDED,
    check,
    check_out,
    client,
    content_of,
    damage,
    fetch,
    layers_of,
    logged,
    page,
    put,
    referring,
    refusal,
)
from tests.sdk.downloads import quiet_store as quiet_store
from tests.sdk.downloads import root as root
from tests.support.forked import DEVNULL, ForkedProcess
from tests.support.stores import StoreUnderTest
from tests.support.web import Web

# Projects that are begun through a server are begun with BLAKE3.
begins_with_xxh3 = pytest.mark.on_stores
FILES = {"README": b"what this is", "images/0.png": bytes(range(256)) * 16, "large.bin": os.urandom(LARGE)}
COLLECTION = "team/animals/images"


def local(path: Path, content: bytes = RECORDED, name: str = "local") -> Reference:
    """A reference to a file of this machine of that content."""
    path.write_bytes(content)
    return Reference(name, path.as_uri(), digests.to_text(digest_of(content)), len(content))


def digest_of(content: bytes) -> bytes:
    return digests.pack(digests.XXH3, digests.one_shot(digests.XXH3)(content))


def link(path: str, there: str, content: bytes, collection: str = COLLECTION, version: int = 0) -> Reference:
    """A reference to an entry of another version."""
    return Reference(path, link_to(collection, version, there), digests.to_text(digest_of(content)), len(content))


def one(artifact: headwater.Artifact, path: str, root: Path) -> Path:
    stores = client().stores
    return download_entry(stores.reads, stores.blobs, layers_of(artifact), path, root)


def bytes_of(artifact: headwater.Artifact, path: str) -> bytes:
    stores = client().stores
    return read_entry(stores.reads, stores.blobs, layers_of(artifact), path)


# --- references ---------------------------------------------------------------------------------------------------


def test_references_are_downloaded_like_files(root: Path, tmp_path: Path, web: Web) -> None:
    artifact = referring(page(web, "a/page"), page(web, "empty", b""), local(tmp_path / "there", name="a/b/local"))

    fetch(artifact, root)

    assert content_of(root) == {"a/page": RECORDED, "a/b/local": RECORDED, "empty": b""}
    check(artifact, root)


def test_what_is_fetched_is_whole_or_not_there_when_the_source_has_changed(root: Path, web: Web) -> None:
    artifact = referring(page(web, "first"), page(web, "second"))
    page(web, "second", RECORDED, etag="changed")

    message = refusal(ReferenceChanged, lambda: fetch(artifact, root))

    assert "'second'" in message
    assert "etag:abc" in message
    assert "etag:changed" in message
    assert content_of(root).items() <= {"first": RECORDED}.items()


def test_a_file_whose_source_has_changed_stays_as_it_was(root: Path, tmp_path: Path) -> None:
    artifact = referring(local(tmp_path / "there"))
    put(root, {"local": b"what was here"})
    (tmp_path / "there").write_bytes(RECORDED[::-1])

    assert "'local'" in refusal(ReferenceChanged, lambda: fetch(artifact, root))

    assert content_of(root) == {"local": b"what was here"}


@pytest.mark.parametrize("checksum", ["xxh3", "md5"])
def test_a_file_that_is_proven_by_a_checksum_of_content_is_not_fetched_again(
    root: Path, web: Web, checksum: str
) -> None:
    md5 = f"md5:{hashlib.md5(RECORDED).hexdigest()}"
    said = md5 if checksum == "md5" else digests.to_text(digest_of(RECORDED))
    artifact = referring(Reference("page", page(web, "page").uri, said, len(RECORDED)))
    put(root, {"page": RECORDED})

    fetch(artifact, root)
    assert web.asked == []

    put(root, {"page": RECORDED[::-1]})
    fetch(artifact, root)
    assert content_of(root) == {"page": RECORDED}


def test_a_file_that_an_etag_cannot_prove_is_fetched_again(root: Path, web: Web) -> None:
    artifact = referring(page(web, "page"))
    put(root, {"page": RECORDED[::-1]})

    fetch(artifact, root)
    fetch(artifact, root)

    assert web.asked == ["GET /page", "GET /page"]
    assert content_of(root) == {"page": RECORDED}


@pytest.mark.parametrize("in_the_way", ["folder", "fifo"])
def test_what_is_no_file_and_in_the_place_of_a_reference_is_named_and_left(
    root: Path, web: Web, in_the_way: str
) -> None:
    artifact = referring(page(web, "page"))
    root.mkdir()
    (root / "page").mkdir() if in_the_way == "folder" else os.mkfifo(root / "page")
    before = (root / "page").lstat()

    assert str(root / "page") in refusal(InvalidFile, lambda: fetch(artifact, root))

    assert (root / "page").lstat().st_ino == before.st_ino


def test_a_link_in_the_place_of_a_reference_is_replaced(root: Path, tmp_path: Path, web: Web) -> None:
    put(tmp_path / "mine", {"x": b"mine"})
    root.mkdir()
    (root / "page").symlink_to(tmp_path / "mine/x")

    fetch(referring(page(web, "page")), root)

    assert not (root / "page").is_symlink()
    assert content_of(root) == {"page": RECORDED}
    assert content_of(tmp_path / "mine") == {"x": b"mine"}


def test_several_are_fetched_at_once(root: Path, web: Web) -> None:
    several = [page(web, f"page-{i}") for i in range(REFERENCES_AT_ONCE)]
    for one_page in web.pages.values():
        one_page.wait_s = 0.5
    artifact = referring(*several)

    started_s = time.monotonic()
    fetch(artifact, root)

    assert time.monotonic() - started_s < 0.5 * REFERENCES_AT_ONCE / 2
    assert len(content_of(root)) == len(several)


def test_schemes_that_cannot_be_fetched_are_named_before_anything_is_written(root: Path, web: Web) -> None:
    several = [Reference(f"raw/{i}", f"ftp://example.com/{i}") for i in range(9)]
    artifact = referring(page(web, "page"), *several)

    message = refusal(InvalidInput, lambda: fetch(artifact, root))

    assert "'raw/0'" in message
    assert "ftp://example.com/0" in message
    assert "6 more" in message
    assert "path_prefix" in message
    assert "entry.ref()" in message
    assert not root.exists()
    assert web.asked == []
    fetch(artifact, root, prefix="page")
    assert content_of(root) == {"page": RECORDED}


def test_what_breaks_off_leaves_nothing_half(root: Path, web: Web) -> None:
    artifact = referring(page(web, "a"), Reference("b", page(web, "b").uri, None, len(RECORDED) + 1))

    message = refusal(ReferenceChanged, lambda: fetch(artifact, root))

    assert "'b'" in message
    assert content_of(root).items() <= {"a": RECORDED}.items()


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_download_of_references_that_is_ended_leaves_nothing_but_whole_files(
    root: Path, web: Web, end: signal.Signals
) -> None:
    artifact = referring(*(page(web, f"{i % 3}/{i}", os.urandom(LARGE)) for i in range(60)))
    expected = {path.removeprefix("/"): one_page.content for path, one_page in web.pages.items()}
    for one_page in web.pages.values():
        one_page.wait_s = 0.1
    code = f"import headwater; headwater.Api().artifact({artifact.qualified_name!r}).download({str(root)!r})"

    for there in (1, 20):
        process = ForkedProcess(["-c", code], stderr=DEVNULL)
        while process.poll() is None and len(content_of(root)) < there:
            time.sleep(0.001)
        process.send_signal(end)
        assert process.wait() == -end
        assert content_of(root).items() <= expected.items()

    fetch(artifact, root)
    assert content_of(root) == expected


@pytest.mark.slow
@pytest.mark.parametrize("way", ["", "import headwater._download.target as target; target._DESCRIPTORS = '/nowhere';"])
def test_an_interrupt_does_not_wait_for_a_silent_server_and_leaves_nothing(root: Path, web: Web, way: str) -> None:
    artifact = referring(page(web, "quick"), *(page(web, f"silent-{i}") for i in range(9)))
    for path, one_page in web.pages.items():
        one_page.wait_s = 0.0 if path == "/quick" else 25.0
    code = f"import headwater; {way} headwater.Api().artifact({artifact.qualified_name!r}).download({str(root)!r})"
    process = ForkedProcess(["-c", code], stderr=DEVNULL)
    while process.poll() is None and len(web.asked) < REFERENCES_AT_ONCE + 1:
        time.sleep(0.01)

    process.send_signal(signal.SIGINT)

    assert process.wait(timeout=10) == -signal.SIGINT
    assert content_of(root) == {"quick": RECORDED}


def test_a_checkout_brings_references_and_removes_the_rest(root: Path, web: Web) -> None:
    artifact = referring(page(web, "a/page"))
    put(root, {"a/mine": b"mine"})

    check_out(artifact, root)

    assert content_of(root) == {"a/page": RECORDED}


# --- single entries -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["README", "./images//0.png", "large.bin"])
def test_one_entry_is_fetched_alone_and_it_is_told_where_it_is(root: Path, path: str) -> None:
    artifact = logged(FILES)

    landed = one(artifact, path, root)

    plain = path.replace("./", "").replace("//", "/")
    assert landed == root / plain
    assert content_of(root) == {plain: FILES[plain]}


def test_fetching_one_entry_touches_nothing_else(root: Path) -> None:
    artifact = logged(FILES)
    put(root, {"README": b"mine", "images/1.png": b"mine", "notes": b"mine"})

    one(artifact, "images/0.png", root)

    mine = {"README": b"mine", "images/1.png": b"mine", "notes": b"mine"}
    assert content_of(root) == mine | {"images/0.png": FILES["images/0.png"]}


def test_one_entry_that_is_a_reference_is_fetched_once(root: Path, web: Web) -> None:
    artifact = referring(page(web, "a"), page(web, "B/page"))

    assert one(artifact, "B/page", root).read_bytes() == RECORDED

    assert web.asked == ["GET /B/page"]


def read_it(artifact: headwater.Artifact, path: str, root: Path) -> None:
    bytes_of(artifact, path)


@pytest.mark.parametrize("act", [one, read_it])
def test_a_path_that_is_not_there_or_a_folder_is_not_found(
    root: Path, act: Callable[[headwater.Artifact, str, Path], object]
) -> None:
    artifact = logged(FILES)

    assert "'nothing'" in refusal(NotFound, lambda: act(artifact, "nothing", root))
    assert "is a folder" in refusal(NotFound, lambda: act(artifact, "images", root))
    assert not root.exists()


@pytest.mark.parametrize("act", [one, read_it])
def test_one_entry_that_cannot_be_fetched_is_named(
    root: Path, act: Callable[[headwater.Artifact, str, Path], object]
) -> None:
    artifact = referring(Reference("raw", "ftp://example.com/raw"))

    message = refusal(InvalidInput, lambda: act(artifact, "raw", root))

    assert "'raw'" in message
    assert "ftp://example.com/raw" in message
    assert not root.exists()


def test_an_entry_is_read_without_a_file(web: Web) -> None:
    files, referred = logged(FILES), referring(page(web, "page"))

    assert {path: bytes_of(files, path) for path in FILES} == FILES
    assert bytes_of(referred, "./page") == RECORDED


def test_an_entry_that_is_too_large_to_read_says_so(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = Reference("unknown", page(web, "unknown").uri)
    files, referred = logged(FILES), referring(page(web, "page"), unknown)
    monkeypatch.setattr(download, "READ_ENTRY_BYTES_MAX", 1000)

    assert bytes_of(files, "README") == FILES["README"]
    for artifact, path in ((files, "large.bin"), (referred, "page"), (referred, "unknown")):
        assert repr(path) in refusal(InvalidInput, lambda of=artifact, at=path: bytes_of(of, at))  # type: ignore[misc]


def test_damaged_bytes_are_never_given_out(store: StoreUnderTest) -> None:
    artifact = logged(FILES).wait()
    damage(store, FILES["images/0.png"])

    refusal(BlobCorrupt, lambda: bytes_of(artifact, "images/0.png"))


# --- entries of other versions ------------------------------------------------------------------------------------


@begins_with_xxh3
def test_links_bring_what_the_other_version_has(root: Path) -> None:
    logged(FILES | {"ünï/a %41?#b": b"odd"}).wait()
    wanted = {"x/README": "README", "large": "large.bin", "odd": "ünï/a %41?#b"}
    contents = {path: (FILES | {"ünï/a %41?#b": b"odd"})[there] for path, there in wanted.items()}
    artifact = referring(*(link(path, there, contents[path]) for path, there in wanted.items()))

    fetch(artifact, root)

    assert content_of(root) == contents
    assert bytes_of(artifact, "odd") == b"odd"
    check(artifact, root)


@begins_with_xxh3
def test_a_link_holds_the_version_whatever_was_logged_since(root: Path) -> None:
    logged({"x": b"first"}).wait()
    logged({"x": b"second"}).wait()

    fetch(referring(link("x", "x", b"first")), root)

    assert content_of(root) == {"x": b"first"}


@begins_with_xxh3
def test_what_a_link_brought_is_kept_when_it_is_right(root: Path) -> None:
    logged(FILES).wait()
    artifact = referring(link("x", "README", FILES["README"]))
    fetch(artifact, root)
    before = (root / "x").stat().st_ino

    fetch(artifact, root)

    assert (root / "x").stat().st_ino == before


@begins_with_xxh3
def test_links_to_links_and_to_references_are_followed(root: Path, web: Web) -> None:
    logged(FILES).wait()
    to_page = page(web, "page")
    first = [link("first", "README", FILES["README"]), to_page]
    referring(*first, name="one")
    second = [link("second", "first", FILES["README"], "team/animals/one")]
    at_page = Reference("at", link_to("team/animals/one", 0, "page"), to_page.checksum, to_page.size)

    fetch(referring(*second, at_page, name="two"), root)

    assert content_of(root) == {"second": FILES["README"], "at": RECORDED}


def test_a_link_to_itself_ends_with_an_error(root: Path) -> None:
    artifact = referring(Reference("x", link_to("team/animals/loop", 0, "x")), name="loop")

    assert "'x'" in refusal(InvalidInput, lambda: fetch(artifact, root))
    assert not root.exists()


def test_a_link_to_a_deleted_version_is_named(root: Path) -> None:
    logged(FILES).wait()
    artifact = referring(link("x", "README", FILES["README"]))
    client().send([VersionDeleted(collection=COLLECTION, version=0, delete_aliases=True)]).result()

    message = refusal(NotFound, lambda: fetch(artifact, root))

    assert "'x'" in message
    assert f"{COLLECTION}:v0 was deleted" in message
    assert not root.exists()


@pytest.mark.parametrize(
    ("collection", "version", "path"),
    [(COLLECTION, 0, "nothing"), (COLLECTION, 9, "README"), ("team/animals/nobody", 0, "README")],
)
def test_a_link_that_leads_nowhere_is_named(root: Path, collection: str, version: int, path: str) -> None:
    logged(FILES).wait()
    reference = link("x", path, b"", collection, version)

    message = refusal(NotFound, lambda: fetch(referring(reference), root))

    assert "'x'" in message
    assert reference.uri in message
    assert not root.exists()


@begins_with_xxh3
def test_a_link_to_other_content_than_it_recorded_is_named(root: Path) -> None:
    logged(FILES).wait()

    message = refusal(ReferenceChanged, lambda: fetch(referring(link("x", "README", b"another")), root))

    assert "'x'" in message
    assert digests.to_text(digest_of(b"another")) in message
    assert digests.to_text(digest_of(FILES["README"])) in message


@pytest.mark.parametrize(
    "uri",
    [
        "headwater://team/animals/images/latest/x",
        "headwater://team/animals/images/v0/../x",
        "headwater://team/animals/images/v0/%2e%2e/x",
        "headwater://team/animals/images/v0/%00",
        "headwater://team/animals/images/v0/%ff",
        "headwater://team/animals/images/v0",
        "headwater://team//images/v0/x",
    ],
)
def test_a_link_that_is_malformed_is_an_error(root: Path, uri: str) -> None:
    refusal(InvalidInput, lambda: fetch(referring(Reference("x", uri)), root))

    assert not root.exists()
