"""The schemas of version events: one for each kind, which says all that is told, and never changes."""

import hashlib
import json
from pathlib import Path

import jsonschema_rs
import pytest
from headwater_schemas import version_events
from headwater_schemas.errors import InvalidInput
from headwater_schemas.version_events import FIELDS, KINDS, check_kinds, schema_text, schema_uri

FOLDER = Path(version_events.__file__).parent / "version_event_schemas"
RELEASED = Path(__file__).parents[1] / "fixtures" / "version_event_schemas.txt"  # "KIND.N SHA-256" of each file


def test_every_kind_has_a_schema_and_there_is_no_other() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{kind}.1.json" for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_requires_and_explains_each_field_of_its_kind(kind: str) -> None:
    schema = json.loads(schema_text(kind))

    jsonschema_rs.meta.validate(schema)
    assert schema["$id"] == schema_uri(kind)
    assert schema["required"] == list(schema["properties"]) == ["project", *FIELDS[kind], "author", "message"]
    assert all(field["description"] for field in schema["properties"].values())


def test_released_schemas_never_change() -> None:
    recorded = dict(line.split() for line in RELEASED.read_text().splitlines())

    assert recorded == {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(FOLDER.iterdir())}


def test_kinds_are_checked_by_name() -> None:
    assert check_kinds("alias-moved") == {"alias-moved"}
    assert check_kinds(["run-started", "run-finished"]) == {"run-started", "run-finished"}
    with pytest.raises(InvalidInput, match=r"'alias_moved' is no kind of version event\. The kinds are version-comm"):
        check_kinds(["alias_moved"])
    with pytest.raises(InvalidInput, match="a list of names, not int"):
        check_kinds(7)
