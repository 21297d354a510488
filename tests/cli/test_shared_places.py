"""Two installations that are given one place for their content: the second is refused, and changes nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest
from headwater_stores.config.settings import read_settings
from headwater_stores.opening import open_stores

from tests.cli.commands import headwater, refused, run
from tests.support.modes import schema_of
from tests.support.servers import fresh_topic_name
from tests.support.stores import StoreUnderTest

pytestmark = pytest.mark.on_stores


@pytest.fixture
def as_another(
    store: StoreUnderTest, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """There is a store with content. Once called, commands are about another log, given the place of that content."""
    headwater("log", str(images), "-n", "pets")

    def be_another() -> None:
        other = tmp_path / "other"
        if store.is_folder:
            monkeypatch.setenv("HEADWATER_URL", str(other))
            open_stores(read_settings(), create=True).close()
            (other / "blobs").rename(other / "blobs-aside")
            (other / "blobs").symlink_to(store.folder / "blobs")
            return
        topic = fresh_topic_name()
        _, schema = schema_of(tmp_path / topic)
        monkeypatch.setenv("HEADWATER_URL", "profile:other")
        monkeypatch.setenv("HEADWATER_KAFKA_TOPIC", topic)
        monkeypatch.setenv("HEADWATER_DATABASE_SCHEMA", schema)
        monkeypatch.setenv("HEADWATER_S3_PREFIX", "other")
        open_stores(read_settings(), create=True).close()
        monkeypatch.delenv("HEADWATER_S3_PREFIX")

    return be_another


def test_the_second_installation_is_refused_by_every_command_that_uses_content(
    store: StoreUnderTest, as_another: Callable[[], None]
) -> None:
    as_another()
    objects = store.objects()

    for command in (("log", "images", "-n", "pets"), ("archive",)):
        said = refused(*command)
        assert "has the content of log" in said
        assert "nothing was changed" in said
        assert "s3_prefix" in said
    assert "has the content of log" in run("doctor").out
    assert store.objects() == objects
