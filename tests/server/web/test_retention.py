"""The page says which policy counts for a collection, when a version goes and by what, and who deleted it and why."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import headwater
import pytest
from headwater_producer.producer import Producer
from headwater_schemas.events import SettingsChanged, VersionDeleted, VersionDescribed
from headwater_stores.folder import open_folder

from tests.server.web.test_views import data, page, words
from tests.support.serving import ServerProcess, serving_recorded

PROJECT, VERSIONS, LATER = "team/vision", 5, 25
DIGITS = f"{PROJECT}/digits"
C = f"/p/{PROJECT}/a/digits"
WHY = "<b>disk</b> is small"
CATCH_UP_S = 30.0


def _record(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"URL": str(folder), "ENTITY": "team", "PROJECT": "vision"}.items():
            patch.setenv(f"HEADWATER_{name}", value)
        for n in range(VERSIONS):
            artifact = headwater.Artifact("digits", "dataset")
            with artifact.new_file("a.txt") as file:
                file.write(str(n))
            artifact.save()
    with closing(open_folder(folder, create=False)) as stores:
        producer = Producer(stores.log, author="headwater|ana")
        policies = '{"retention":{"*":{"keep_last":1},"dig*":{"keep_last":2}}}'
        producer.send([SettingsChanged(project=PROJECT, settings=policies)], message=WHY)
        producer.send([VersionDeleted(collection=DIGITS, version=0)], message="not among the newest 2")
        producer.send([VersionDescribed(collection=DIGITS, version=4, ttl_seconds=86_400)])
        for n in range(LATER):  # more than anybody reads to find the deletion
            producer.send([VersionDescribed(collection=DIGITS, version=4, description=str(n))])
        stores.projection.catch_up(producer.confirm(), timeout_s=CATCH_UP_S)


@pytest.fixture(scope="module")
def server(module_path: Path) -> Iterator[ServerProcess]:
    with serving_recorded(module_path / "retention", _record) as server:
        yield server


def test_a_collection_shows_its_policy_with_who_set_it_and_why(server: ServerProcess) -> None:
    retention = data(server, C)["retention"]

    assert (retention["policy"], retention["name"], retention["message"]) == ("keep last 2", "dig*", WHY)
    html = words(page(server, C)).replace(" ,", ",")
    assert "Retention: keep last 2; the policy of dig*, set by ana" in html
    assert "&lt;b&gt;disk&lt;/b&gt; is small" in page(server, C)


def test_a_version_says_when_it_goes_and_by_what(server: ServerProcess) -> None:
    due, kept, expiring = (data(server, f"{C}/v{version}") for version in (1, 3, 4))

    assert (due["due"], due["expires_by"]) == ("not among the newest 2", "by the policy of dig*")
    assert (kept["due"], kept["expires_us"], kept["kept"]) == (None, None, ["among the newest 2"])
    assert expiring["expires_us"] == expiring["created_us"] + 86_400 * 1_000_000
    assert "with the next maintenance, by the policy of dig*: not among the newest 2" in words(page(server, f"{C}/v1"))
    assert "by its time to live" in words(page(server, f"{C}/v4"))
    assert "Kept among the newest 2" in words(page(server, f"{C}/v3"))


def test_a_deleted_version_says_by_whom_and_why_however_long_ago(server: ServerProcess) -> None:
    ended = data(server, f"{C}/v0", 410)["ended"]

    assert (ended["author"], ended["message"]) == ("headwater|ana", "not among the newest 2")
    assert "“ not among the newest 2 ”" in words(page(server, f"{C}/v0", 410))
