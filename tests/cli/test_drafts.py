"""`headwater drafts`."""

from pathlib import Path

import pytest

from tests.cli.commands import ask, headwater, refused

pytestmark = pytest.mark.usefixtures("store")


def test_open_drafts_are_listed_and_discarded(images: Path) -> None:
    headwater("log", str(images), "-n", "pets", "--distributed-id", "job-1")
    headwater("log", str(images), "-n", "other", "--distributed-id", "job-2")

    (draft,) = ask("drafts", "--artifact", "pets")
    assert (draft["artifact"], draft["distributed_id"], draft["entries"]) == ("team/animals/pets", "job-1", 3)
    assert "job-2" in headwater("drafts")

    assert "job-1" in headwater("drafts", "--discard", "job-1")

    assert [left["distributed_id"] for left in ask("drafts")] == ["job-2"]
    assert "'job-1'" in refused("drafts", "--discard", "job-1", code=3)


def test_of_two_drafts_with_one_id_the_artifact_says_which(images: Path) -> None:
    for name in ("pets", "other"):
        headwater("log", str(images), "-n", name, "--distributed-id", "job")

    assert "--artifact" in refused("drafts", "--discard", "job")
    told = ask("drafts", "--discard", "job", "--artifact", "pets")

    assert [one["artifact"] for one in told["discarded"]] == ["team/animals/pets"]
    assert [left["artifact"] for left in ask("drafts")] == ["team/animals/other"]
