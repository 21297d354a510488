"""What a notebook does more than a script: cells run again, names are mistyped, and whatever ends a cell is shown."""

import html.parser
import traceback
from collections.abc import Callable
from pathlib import Path

import headwater
import pytest
from headwater import errors
from headwater._paging import MEMBERS_IN_NOTEBOOK

from tests.queue.artifacts import filled
from tests.support.stores import StoreUnderTest

pytestmark = pytest.mark.usefixtures("store")

Printed = pytest.CaptureFixture[str]


# --- cells that run again -----------------------------------------------------------------------------------------


def test_an_artifact_logged_again_by_its_run_is_not_logged_again(capsys: Printed) -> None:
    with headwater.init() as run:
        artifact = run.log_artifact(filled({"a": "1"}), aliases=["good"]).wait()
        run.log_artifact(filled({"a": "2"})).wait()
        capsys.readouterr()

        assert run.log_artifact(artifact) is artifact
        assert run.log_artifact(artifact, aliases=["good"]).version == "v0"

    line = "headwater: animals/pets was already logged as v0, and nothing changed since\n"
    assert capsys.readouterr().err == line * 2
    assert headwater.Api().artifact("pets:latest").version == "v1"


def test_an_artifact_that_is_still_on_its_way_is_not_logged_again_either(capsys: Printed) -> None:
    with headwater.init() as run:
        artifact = filled({"a": "1"})
        for _ in range(3):
            run.log_artifact(artifact)

    assert capsys.readouterr().err.count(" was already logged") == 2
    assert len(headwater.Api().artifact_versions("dataset", "pets")) == 1


def test_a_version_logged_again_by_another_run_is_an_output_of_that_run_too() -> None:
    with headwater.init():
        artifact = filled({"a": "1"}).save()
    with headwater.init() as again:
        again.log_artifact(artifact, aliases=["good"])
    with headwater.init() as third:
        third.log_artifact(headwater.Api().artifact("pets:good"))

    assert [one.name for run in (again, third) for one in run.logged_artifacts()] == ["pets:v0"] * 2
    assert list(headwater.Api().artifact("pets:v0").aliases) == ["good", "latest"]


def test_a_version_with_attributes_that_are_not_saved_is_not_logged_again() -> None:
    with headwater.init() as run:
        artifact = run.log_artifact(filled({"a": "1"})).wait()
        artifact.metadata["rows"] = 1

        with pytest.raises(errors.InvalidInput, match=r"pets:v0 was logged already, .*`artifact\.save\(\)` saves them"):
            run.log_artifact(artifact)

        artifact.save()
        run.log_artifact(artifact)


def test_a_version_of_another_project_is_not_logged_as_it_is() -> None:
    with headwater.init(project="zoo"):
        artifact = filled({"a": "1"}).save()

    with headwater.init() as run, pytest.raises(errors.InvalidInput, match="its content can no longer change"):
        run.log_artifact(artifact)


def test_a_part_of_a_shared_draft_is_added_once_by_its_run(capsys: Printed) -> None:
    with headwater.init() as run:
        artifact = filled({"a": "1"})
        for _ in range(2):
            run.upsert_artifact(artifact, distributed_id="job")
        assert "animals/pets was already added to the draft 'job', and nothing changed" in capsys.readouterr().err
        version = run.finish_artifact(artifact, distributed_id="job").wait()

    assert (version.version, version.file_count) == ("v0", 1)


def test_an_empty_folder_is_warned_of(tmp_path: Path, capsys: Printed) -> None:
    (tmp_path / "none" / "within").mkdir(parents=True)
    with headwater.init() as run:
        run.log_artifact(str(tmp_path / "none"), name="pets")

    assert f"headwater: the folder {str(tmp_path / 'none')!r} has no files, so nothing was added to pets\n" in (
        capsys.readouterr().err
    )


# --- what is mistyped ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "name", "meant"),
    [
        (lambda: filled({"a": "1"}), "desciption", "description"),
        (lambda: filled({"a": "1"}), "alias", "aliases"),
        (lambda: filled({"a": "1"}).save().files()[0], "digset", "digest"),
        (headwater.init, "job_typ", "job_type"),
        (lambda: headwater.Table(["a"]), "colums", "columns"),
    ],
    ids=["artifact", "plural", "entry", "run", "table"],
)
def test_an_attribute_that_is_not_there_is_refused_with_the_nearest(
    of: Callable[[], object], name: str, meant: str
) -> None:
    thing = of()

    with pytest.raises(AttributeError, match=f"has no attribute '{name}'. Did you mean '{meant}'"):
        setattr(thing, name, "x")

    assert not hasattr(thing, name)


def test_what_a_run_was_started_with_cannot_be_set_without_effect() -> None:
    with headwater.init(name="night") as run:
        for name in ("name", "job_type", "group", "tags"):
            with pytest.raises(AttributeError, match=f"'{name}' of this Run cannot be changed"):
                setattr(run, name, "x")

    assert (run.name, headwater.Api().run(run.id).name) == ("night", "night")


def test_an_attribute_that_is_like_none_is_refused_too() -> None:
    with pytest.raises(AttributeError, match=r"Artifact has no attribute 'xyzzy'\. Keep other values in its metadata"):
        filled({"a": "1"}).xyzzy = 1  # type: ignore[attr-defined]


def test_errors_are_shown_by_the_name_that_catches_them() -> None:
    filled({"a": "1"}).save()
    with pytest.raises(errors.NotFound) as caught:
        headwater.Api().artifact("nothing")

    assert traceback.format_exception_only(caught.value)[0].startswith("headwater.errors.NotFound: there is no")
    shown = {getattr(errors, name).__module__ for name in errors.__all__ if name != "Reason"}
    assert shown == {"headwater.errors"}
    assert headwater.HeadwaterError is errors.HeadwaterError


# --- what is shown ------------------------------------------------------------------------------------------------


def test_a_listing_is_shown_by_its_first_paths() -> None:
    artifact = filled({f"{n}.txt": str(n) for n in range(7)})
    listing = "<7 entries: '0.txt', '1.txt', '2.txt', '3.txt', '4.txt', …>"

    assert repr(artifact.manifest.entries) == listing
    assert repr(artifact.save().manifest.entries) == listing
    assert repr(filled({"a": "1"}, "one").manifest.entries) == "<1 entry: 'a'>"
    assert repr(filled({}, "none").manifest.entries) == "<0 entries: none>"


class _Reader(html.parser.HTMLParser):
    """Collects the texts of a page, and which elements it has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def shown(thing: object) -> list[str]:
    """The texts that a notebook shows of something."""
    reader = _Reader(thing._repr_html_())  # type: ignore[attr-defined]
    assert reader.elements <= {"table", "tr", "th", "td", "p"}
    return reader.texts


HOSTILE = "<script>alert('x')</script> & \"more\""


def test_an_artifact_is_shown_while_it_is_filled_and_as_a_version_with_every_text_escaped() -> None:
    artifact = filled({"a": "1"})
    artifact.description, artifact.metadata = HOSTILE, {HOSTILE: "<b>"}
    artifact.tags.append("<i>tag")

    before = shown(artifact)
    after = shown(artifact.save())

    assert {"pets", "draft", HOSTILE, "<i>tag"} <= set(before)
    assert {"team/animals/pets:v0", "committed", "latest", HOSTILE, "1 B"} <= set(after)


def test_a_run_and_an_entry_are_shown() -> None:
    with headwater.init(job_type=HOSTILE, config={"rate": 0.1}, id="night") as run:
        artifact = run.log_artifact(filled({"<b>.txt": "1"})).wait()

    assert {"team/animals/night", HOSTILE, "finished", '{"rate": 0.1}'} <= set(shown(run))
    assert {"<b>.txt", "1 B"} <= set(shown(artifact.files()[0]))


def test_lists_are_shown_with_their_first_members_and_how_many_more_there_are() -> None:
    with headwater.init() as run:
        for number in range(MEMBERS_IN_NOTEBOOK + 2):
            run.log_artifact(filled({"a": str(number)}))
    api = headwater.Api()

    versions = shown(api.artifact_versions("dataset", "pets"))
    assert versions[0] == "artifact"
    assert "team/animals/pets:v11" in versions
    assert versions[-1] == "and 2 more"
    assert {"type", "dataset"} <= set(shown(api.artifact_types()))
    assert "team/animals/pets" in shown(api.artifact_collections())
    assert "team/animals" in shown(api.projects())
    assert run.path in shown(api.runs())
    assert shown(api.runs(group="none")) == ["nothing"]


def test_showing_what_is_being_logged_waits_for_nothing(store: StoreUnderTest) -> None:
    with headwater.init() as run:
        artifact = run.log_artifact(filled({"a": "1"}))

        assert "pets" in "".join(shown(artifact))
