"""A name in the other Unicode form, as another machine types it, finds what the listing shows."""

import unicodedata
from pathlib import Path

import headwater
import pytest
from headwater.errors import NotFound
from headwater_schemas.links import link_to

from tests.cli.commands import headwater as command
from tests.queue.artifacts import filled

pytestmark = pytest.mark.usefixtures("store")

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "données/été/ñandú.txt") for form in ("NFC", "NFD"))
MIXED = "/".join((*DECOMPOSED.split("/")[:2], COMPOSED.split("/")[2]))
SPELLINGS = [(stored, asked) for stored in (COMPOSED, DECOMPOSED, MIXED) for asked in (COMPOSED, DECOMPOSED)]

every_spelling = pytest.mark.parametrize(("stored", "asked"), SPELLINGS, ids=[str(n) for n in range(len(SPELLINGS))])


@every_spelling
def test_an_entry_is_found_while_an_artifact_is_filled_and_in_a_version(stored: str, asked: str) -> None:
    artifact = filled({stored: "here", "other": "1"})
    for found in (artifact, artifact.save()):
        assert found.get_entry(asked).path == stored
        assert found.manifest.entries[asked].path == stored
        assert asked in found.manifest.entries
        with pytest.raises(NotFound, match="is a folder of"):
            found.get_entry(asked.rpartition("/")[0])
        with pytest.raises(NotFound):
            found.get_entry(asked + "x")


@every_spelling
def test_a_part_of_a_version_is_downloaded_and_listed(stored: str, asked: str, tmp_path: Path) -> None:
    artifact = filled({stored: "here", "other": "1"}).save()

    for number, prefix in enumerate((asked, asked.rpartition("/")[0], asked.partition("/")[0])):
        root = tmp_path / str(number)
        artifact.download(root, path_prefix=prefix)
        assert [path.read_text() for path in root.rglob("*") if path.is_file()] == ["here"]
        if prefix != asked:
            assert stored in command("ls", "pets:v0", "--prefix", prefix)


@every_spelling
def test_an_entry_or_folder_is_removed(stored: str, asked: str) -> None:
    artifact = filled({stored: "here", "other": "1"}).save()

    for name in (asked, asked.partition("/")[0]):
        draft = artifact.new_draft()
        draft.remove(name)
        assert list(draft.manifest.entries) == ["other"]


@every_spelling
def test_a_link_leads_to_the_entry(stored: str, asked: str, tmp_path: Path) -> None:
    filled({stored: "here"}).save()
    for checksum in (True, False):
        artifact = headwater.Artifact(f"refs-{checksum}", "dataset")
        artifact.add_reference(link_to("team/animals/pets", 0, asked), "it", checksum=checksum)
        assert Path(artifact.save().file(tmp_path / str(checksum))).read_text() == "here"


def test_a_table_and_its_parts_are_found() -> None:
    artifact = headwater.Artifact("results", "tables")
    table = headwater.Table(["a"], [[1]])
    artifact.add(table, f"{DECOMPOSED}/part")
    artifact.add(headwater.PartitionedTable(COMPOSED), "all")
    version = artifact.save()

    for found in (artifact, headwater.Api().artifact(version.name)):
        assert found.get(f"{COMPOSED}/part") == table
        parts = found.get("all")
        assert isinstance(parts, headwater.PartitionedTable)
        assert len(parts) == 1
