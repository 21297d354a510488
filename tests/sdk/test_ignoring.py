"""What is left out of a folder that is added, said aloud, and left alone on the other side."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import headwater
import pytest
from headwater.errors import Differences, InvalidFile, InvalidInput

from tests.sdk.downloads import client, content_of, put, refusal
from tests.sdk.stat_caches import trusting_soon as trusting_soon
from tests.sdk.stat_caches import wait_until_trusted

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    put(
        root, {"a.csv": b"a", "b.tmp": b"b", "raw/c.csv": b"c", "raw/d.tmp": b"d", "cache/e": b"e", "raw/cache/f": b"f"}
    )
    return root


def added(root: Path, **options: Any) -> headwater.Artifact:
    artifact = headwater.Artifact("data", "dataset")
    artifact.add_dir(root, **options)
    return artifact


def paths(artifact: headwater.Artifact) -> list[str]:
    return list(artifact.manifest.entries)


def rules(root: Path, text: str, folder: str = "") -> None:
    put(root, {os.path.join(folder, ".headwaterignore"): text.encode()})


# --- what is left out


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("*.tmp\n", ["a.csv", "cache/e", "raw/c.csv", "raw/cache/f"]),
        ("# comment\r\n*.tmp\r\n\r\n", ["a.csv", "cache/e", "raw/c.csv", "raw/cache/f"]),
        ("\ufeff*.tmp\n!d.tmp", ["a.csv", "cache/e", "raw/c.csv", "raw/cache/f", "raw/d.tmp"]),
        ("cache/\n*.tmp", ["a.csv", "raw/c.csv"]),
        ("/cache\n*.tmp", ["a.csv", "raw/c.csv", "raw/cache/f"]),
        ("/*\n!/raw/\n!.headwaterignore", ["raw/c.csv", "raw/cache/f", "raw/d.tmp"]),
        ("raw/\n!raw/c.csv\n*.tmp", ["a.csv", "cache/e"]),
        ("**/c*\n*.tmp", ["a.csv"]),
        ("*", []),
    ],
)
def test_rules_of_an_ignore_file_count_as_for_git_and_the_file_is_an_entry(
    tree: Path, text: str, kept: list[str]
) -> None:
    rules(tree, text)

    assert paths(added(tree)) == [".headwaterignore", *kept]


def test_a_deeper_ignore_file_counts_in_its_folder_and_after_those_above(tree: Path) -> None:
    rules(tree, "*.tmp\n/cache/")
    rules(tree, "!d.tmp\n/cache/\n", "raw")

    assert paths(added(tree, name="x")) == [
        *("x/.headwaterignore", "x/a.csv", "x/raw/.headwaterignore", "x/raw/c.csv", "x/raw/d.tmp")
    ]


def test_patterns_of_the_caller_count_after_all_files(tree: Path) -> None:
    rules(tree, "*.tmp\ncache/")

    assert paths(added(tree, ignore=["!b.tmp", "*.csv"])) == [".headwaterignore", "b.tmp"]


def test_what_could_not_be_added_is_no_error_where_it_is_left_out(tree: Path) -> None:
    os.mkfifo(tree / "pipe.tmp")
    (tree / "broken.tmp").symlink_to("nowhere")
    (tree / "raw" / "loop.tmp").symlink_to("..")

    assert paths(added(tree, ignore=["*.tmp"])) == ["a.csv", "cache/e", "raw/c.csv", "raw/cache/f"]


def test_git_is_left_out_wherever_it_is_unless_it_is_asked_for(tree: Path) -> None:
    put(tree, {".git/HEAD": b"ref", "raw/.git": b"gitdir: elsewhere"})

    assert not [path for path in paths(added(tree)) if ".git" in path]
    assert ".git/HEAD" in paths(added(tree, ignore=["!.git"]))
    assert paths(added(tree / ".git", name=".git")) == [".git/HEAD"]


def test_the_cache_of_headwater_is_left_out(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_CACHE_DIR", str(tree / "own"))
    put(tree, {"raw/stat_cache.db": b"somebody's own", "raw/staged/x": b"too", "own/staged/record": b"of headwater"})
    first = added(tree).save()
    client().stat_cache.close()  # which writes it

    assert {"raw/stat_cache.db", "raw/staged/x"} <= set(paths(first))
    assert not [path for path in paths(added(tree)) if path.startswith("own/")]


@pytest.mark.usefixtures("trusting_soon")
def test_other_rules_are_another_scan_and_give_their_own_digest(tree: Path) -> None:
    wait_until_trusted()
    everything, without = added(tree).digest, added(tree, ignore=["*.tmp"]).digest

    assert everything != without
    assert [added(tree).digest, added(tree, ignore=["*.tmp"]).digest] == [everything, without]
    rules(tree, "cache/")
    assert paths(added(tree, ignore=["*.tmp"])) == [".headwaterignore", "a.csv", "raw/c.csv"]


# --- what is said


def test_what_was_left_out_is_said_once(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tree, {".git/HEAD": b"ref", **{f"many/{i}.tmp": b"" for i in range(9)}})
    rules(tree, "*.tmp\n/cache/")

    added(tree)

    said = capsys.readouterr().err
    assert (
        said
        == f"headwater: left out of {tree}: .git; ignored: b.tmp, cache, raw/d.tmp, many/0.tmp, many/1.tmp and 7 more\n"
    )


def test_nothing_is_said_where_nothing_was_left_out_or_nobody_wants_to_know(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    added(tree, ignore=["*.nothing"])
    assert capsys.readouterr().err == ""

    monkeypatch.setenv("HEADWATER_QUIET", "true")
    added(tree, ignore=["*.tmp"])
    assert capsys.readouterr().err == ""


# --- rules that are none


@pytest.mark.parametrize(
    ("content", "says"), [(b"\xff\xfe", "UTF-8"), (b"!\n", "'!'"), (b"x" * (1024 * 1024 + 1), "1,048,576 bytes")]
)
def test_an_ignore_file_without_rules_is_named_and_nothing_is_added(tree: Path, content: bytes, says: str) -> None:
    put(tree, {"raw/.headwaterignore": content})
    artifact = headwater.Artifact("data", "dataset")

    message = refusal(InvalidFile, lambda: artifact.add_dir(tree))

    assert repr(str(tree / "raw" / ".headwaterignore")) in message
    assert says in message
    assert artifact.file_count == 0


@pytest.mark.parametrize("ignore", ["*.tmp", ["a\nb"], [1], ["!"]])
def test_what_is_no_list_of_patterns_is_refused(tree: Path, ignore: Any) -> None:
    assert "ignore" in refusal(InvalidInput, lambda: added(tree, ignore=ignore))


# --- the other side


def downloaded(artifact: headwater.Artifact, root: Path) -> Path:
    artifact.download(root)
    return root


IGNORED: Mapping[str, bytes] = {"n.tmp": b"mine", "raw/n.tmp": b"mine", "cache/deep/n": b"mine", ".git/HEAD": b"ref"}


def test_verify_reports_no_ignored_name_and_every_other(tree: Path, tmp_path: Path) -> None:
    rules(tree, "*.tmp\ncache/")
    version = added(tree).save()
    root = downloaded(version, tmp_path / "out")

    put(root, IGNORED)
    version.verify(root)
    put(root, {"raw/new.csv": b"", ".headwaterignore": b"*.tmp\ncache/\n.git\n#"})
    with pytest.raises(Differences) as found:
        version.verify(root)

    assert (found.value.extra, found.value.changed) == (["raw/new.csv"], [".headwaterignore"])


def test_a_checkout_removes_no_ignored_name_and_every_other(tree: Path, tmp_path: Path) -> None:
    rules(tree, "*.tmp\ncache/")
    version = added(tree).save()
    root = downloaded(version, tmp_path / "out")
    ignored = {path: content for path, content in IGNORED.items() if ".git" not in path}
    put(root, ignored | {"raw/new.csv": b"", "new/new.csv": b"", "new/n.tmp": b"mine"})
    (root / "raw" / "cache" / "empty").mkdir(parents=True)

    version.checkout(root)

    assert content_of(root) == content_of_version(version, tmp_path) | ignored | {"new/n.tmp": b"mine"}
    assert (root / "raw" / "cache" / "empty").is_dir()
    version.verify(root)


def content_of_version(version: headwater.Artifact, tmp_path: Path) -> dict[str, bytes]:
    return content_of(downloaded(version, tmp_path / "alone"))


@pytest.mark.parametrize("before", ["*.log\n*.tmp\n", "!*.tmp\n*.log"])
def test_a_checkout_keeps_also_what_the_rules_of_the_folder_ignored_before(
    tree: Path, tmp_path: Path, before: str
) -> None:
    rules(tree, "*.tmp\ncache/")
    version = added(tree).save()
    root = downloaded(version, tmp_path / "out")
    put(root, {".headwaterignore": before.encode(), "train.log": b"mine", "n.tmp": b"mine"})

    version.checkout(root)

    assert content_of(root) == content_of_version(version, tmp_path) | {"train.log": b"mine", "n.tmp": b"mine"}


def test_patterns_of_the_caller_count_on_the_other_side_too(tree: Path, tmp_path: Path) -> None:
    version = added(tree, ignore=["*.tmp"]).save()
    root = downloaded(version, tmp_path / "out")
    put(root, {"n.tmp": b"mine", "raw/x.tmp": b"mine"})

    version.verify(root, ignore=["*.tmp"])
    version.checkout(root, ignore=["*.tmp"])

    assert {"n.tmp", "raw/x.tmp"} <= content_of(root).keys()
    with pytest.raises(Differences):
        version.verify(root)
    version.checkout(root)
    assert not {"n.tmp", "raw/x.tmp"} & content_of(root).keys()


def test_what_the_version_has_is_compared_and_fetched_though_its_name_is_ignored(tree: Path, tmp_path: Path) -> None:
    rules(tree, "cache/")
    artifact = added(tree)
    artifact.add_file(tree / "cache" / "e", name="cache/e")
    version = artifact.save()
    root = downloaded(version, tmp_path / "out")
    put(root, {"cache/e": b"changed", "cache/mine": b"mine"})

    with pytest.raises(Differences) as found:
        version.verify(root)
    version.checkout(root)

    assert (found.value.changed, found.value.extra) == (["cache/e"], [])
    assert content_of(root / "cache") == {"e": b"e", "mine": b"mine"}


@pytest.mark.parametrize(("pattern", "named"), [("cache/", "cache"), ("*.tmp", "cache/mine.tmp")])
def test_a_checkout_refuses_to_put_a_file_where_ignored_names_are(
    tree: Path, tmp_path: Path, pattern: str, named: str
) -> None:
    artifact = headwater.Artifact("data", "dataset")
    rules(tree, pattern)
    artifact.add_file(tree / ".headwaterignore")
    artifact.add_file(tree / "a.csv", name="cache")
    version = artifact.save()
    root = tmp_path / "out"
    put(root, {".headwaterignore": pattern.encode(), "cache/mine.tmp": b"mine"})
    before = content_of(root)

    assert f"{named!r}, which is ignored" in refusal(InvalidFile, lambda: version.checkout(root))

    assert content_of(root) == before


@pytest.mark.parametrize("unreadable", ["a fifo", "a link", "a folder"])
def test_an_ignore_file_that_is_no_file_has_no_rules_on_the_other_side(
    tree: Path, tmp_path: Path, unreadable: str
) -> None:
    version = added(tree).save()
    root = downloaded(version, tmp_path / "out")
    make: Mapping[str, Callable[[Path], object]] = {
        "a fifo": os.mkfifo,
        "a link": lambda path: path.symlink_to(tree / "a.csv"),
        "a folder": Path.mkdir,
    }
    make[unreadable](root / ".headwaterignore")

    version.checkout(root)

    version.verify(root)
    assert not os.path.lexists(root / ".headwaterignore")
