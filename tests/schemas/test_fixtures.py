"""What a release wrote stays readable: bytes and schema files of every version, as they were recorded."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from headwater_schemas import codec
from headwater_schemas.events import EVENT_TYPES
from headwater_schemas.fingerprints import FINGERPRINTS

from tests.schemas import make_fixtures
from tests.support import avro
from tests.support.samples import ORIGIN, SAMPLES

RELEASED = [(name, number) for name, numbers in codec.released_schemas().items() for number in numbers]
every_version = pytest.mark.parametrize(("name", "number"), RELEASED, ids=lambda value: str(value))


def recorded_bytes(name: str, number: int) -> bytes:
    return bytes.fromhex(make_fixtures.fixture_of(name, number).read_text())


def test_every_event_type_has_a_released_schema() -> None:
    assert {event_type.name for event_type in EVENT_TYPES} == {name for name, _ in RELEASED}
    assert all(numbers == tuple(range(1, len(numbers) + 1)) for numbers in codec.released_schemas().values())


def test_every_schema_version_has_a_fixture_and_a_sample() -> None:
    fixtures = {path.name for path in (make_fixtures.FIXTURES / "events").iterdir()}

    assert fixtures == {f"{name}.{number}.hex" for name, number in RELEASED}
    assert set(SAMPLES) == set(RELEASED)


@every_version
def test_recorded_bytes_decode_to_what_was_meant(name: str, number: int) -> None:
    assert codec.decode(recorded_bytes(name, number)) == SAMPLES[name, number]


@pytest.mark.parametrize("name", codec.released_schemas())
def test_the_newest_schema_still_writes_the_recorded_bytes(name: str) -> None:
    newest = codec.released_schemas()[name][-1]

    assert codec.encode(SAMPLES[name, newest]) == recorded_bytes(name, newest)


def test_the_fingerprints_that_ship_are_those_of_the_schemas_that_ship() -> None:
    folder = Path(codec.__file__).parent / "avsc"
    shipped = {path.stem: fingerprints(*path.stem.split(".")) for path in folder.iterdir()}

    assert {name: text.split()[0] for name, text in shipped.items()} == FINGERPRINTS


def test_released_schema_files_never_change() -> None:
    recorded = dict(line.split(" ", 1) for line in make_fixtures.FINGERPRINTS.read_text().splitlines())

    assert recorded == {f"{name}.{number}": fingerprints(name, number) for name, number in RELEASED}


def fingerprints(name: str, number: int | str) -> str:
    text = codec.schema_text(name, int(number))
    wire = avro.crc_64(avro.canonical_form(json.loads(text)).encode()).to_bytes(8, "little")
    return f"{wire.hex()} {hashlib.sha256(text.encode()).hexdigest()}"


def test_the_second_opinion_agrees_with_the_specification_on_the_fingerprint_of_int() -> None:
    assert avro.crc_64(b'"int"') == 0x7275D51A3F395C8F


@every_version
def test_recorded_bytes_start_with_the_marker_and_the_schemas_fingerprint(name: str, number: int) -> None:
    canonical = avro.canonical_form(json.loads(codec.schema_text(name, number)))

    assert recorded_bytes(name, number)[:10] == b"\xc3\x01" + avro.crc_64(canonical.encode()).to_bytes(8, "little")


@pytest.mark.parametrize("name", codec.released_schemas())
def test_a_sample_says_something_in_every_field(name: str) -> None:
    newest = codec.released_schemas()[name][-1]

    assert [*silent_fields(SAMPLES[name, newest].event), *silent_fields(ORIGIN)] == []


def silent_fields(record: Any) -> list[str]:
    silent: tuple[object, ...] = (None, "", b"", (), [], False)
    return [field.name for field in dataclasses.fields(record) if getattr(record, field.name) in silent]


def test_making_fixtures_fills_gaps_and_overwrites_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "writer-done.1.hex").write_text("as it was")
    (tmp_path / "fingerprints.txt").write_text("writer-done.1 as it was\n")
    monkeypatch.setattr(make_fixtures, "FIXTURES", tmp_path)
    monkeypatch.setattr(make_fixtures, "FINGERPRINTS", tmp_path / "fingerprints.txt")

    make_fixtures.main()

    assert (tmp_path / "events" / "writer-done.1.hex").read_text() == "as it was"
    assert "writer-done.1 as it was\n" in (tmp_path / "fingerprints.txt").read_text()
    newest = {f"{name}.{numbers[-1]}.hex" for name, numbers in codec.released_schemas().items()}
    assert {path.name for path in (tmp_path / "events").iterdir()} == {"writer-done.1.hex", *newest}
