"""Ids of parts of a picture, which anybody may write into an address."""

from headwater_server.web.lineage.parts import draft_id, kind_of, nodes_of, project_of, title_of
from hypothesis import given
from hypothesis import strategies as st

KINDS = ["version", "run", "versions", "runs", "draft", "", "x"]


@given(st.sampled_from(KINDS), st.sampled_from(["", ":"]), st.text(max_size=20) | st.text("/:v%09", max_size=12))
def test_what_is_no_id_breaks_nothing(kind: str, colon: str, rest: str) -> None:
    part = f"{kind}{colon}{rest}"

    said = title_of(part), kind_of(part), project_of(part)

    assert all(isinstance(one, str) for one in said)
    assert nodes_of(part, {}) == []


def test_a_draft_is_called_as_its_artifact() -> None:
    assert title_of(draft_id("team/vision/images", "own/a/b")) == "images"
