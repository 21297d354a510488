"""A draft is opened by any writer, so what its opening says is judged, whatever the SDK checks before."""

from collections.abc import Iterator

import pytest
from headwater_schemas.errors import Reason
from headwater_schemas.events import DraftOpened, own_draft, shared_draft
from headwater_schemas.limits import DISTRIBUTED_ID_LENGTH_MAX, NAME_LENGTH_MAX

from tests.consumer.inspection import Databases, rejections_of, rows_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog

DIGITS = "team/vision/digits"
OPENED = DraftOpened(collection=DIGITS, draft=shared_draft("epoch-1"), type="dataset")

BAD_TYPES = {
    "empty": "",
    "too long": "x" * (NAME_LENGTH_MAX + 1),
    "a control character": "data\tset",
    "space at its end": "dataset ",
}
BAD_COLLECTIONS = {
    "no project": "team/digits",
    "one part too many": "team/vision/digits/more",
    "an empty name": "team/vision/",
    "an empty entity": "/vision/digits",
    "a space": "team/vision/the digits",
    "a folder": "team/vision/..",
    "a project that is too long": f"team/{'x' * (NAME_LENGTH_MAX + 1)}/digits",
}
BAD_DRAFTS = {
    "no id": shared_draft(""),
    "an id that is too long": shared_draft("x" * (DISTRIBUTED_ID_LENGTH_MAX + 1)),
    "a control character in its id": shared_draft("epoch\n1"),
    "space before its id": shared_draft(" epoch-1"),
    "no prefix": "epoch-1",
    "another prefix": "theirs:epoch-1",
    "a prefix without its colon": "shared",
    "nothing": "",
}
REFUSED = {
    **{f"type: {why}": DraftOpened(collection=DIGITS, draft=OPENED.draft, type=bad) for why, bad in BAD_TYPES.items()},
    **{
        f"collection: {why}": DraftOpened(collection=bad, draft=OPENED.draft, type="dataset")
        for why, bad in BAD_COLLECTIONS.items()
    },
    **{f"draft: {why}": DraftOpened(collection=DIGITS, draft=bad, type="dataset") for why, bad in BAD_DRAFTS.items()},
}


@pytest.fixture
def history(databases: Databases) -> Iterator[History]:
    """On a log in memory, since only the database matters here."""
    with databases.empty() as database:
        yield History(MemoryLog(), database)


@pytest.mark.parametrize("event", REFUSED.values(), ids=REFUSED.keys())
def test_a_draft_is_not_opened_with_what_breaks_the_grammar(history: History, event: DraftOpened) -> None:
    history.write(event)

    assert rejections_of(history.database) == [Reason.INVALID]
    assert rows_of(history.database, "SELECT draft FROM drafts") == []
    assert rows_of(history.database, "SELECT layer FROM layers") == []


@pytest.mark.parametrize(
    "event",
    [
        OPENED,
        DraftOpened(collection=DIGITS, draft=own_draft("7"), type="x" * NAME_LENGTH_MAX),
        DraftOpened(collection=DIGITS, draft=shared_draft("x" * DISTRIBUTED_ID_LENGTH_MAX), type="a type"),
        DraftOpened(collection=f"a/b/{'x' * NAME_LENGTH_MAX}", draft=shared_draft("with / and : and é"), type="t"),
    ],
    ids=["usual", "the longest type", "the longest id", "the longest name"],
)
def test_a_draft_is_opened_with_all_that_the_grammar_allows(history: History, event: DraftOpened) -> None:
    history.write(event)

    assert rejections_of(history.database) == []
    assert rows_of(history.database, "SELECT collection, draft, type FROM drafts") == [
        (event.collection, event.draft, event.type)
    ]


def test_a_shared_draft_is_not_opened_again_with_another_type(history: History) -> None:
    history.write(OPENED)

    history.write(DraftOpened(collection=DIGITS, draft=OPENED.draft, type="model"), by="bert")

    assert rejections_of(history.database) == [Reason.TYPE_MISMATCH]
    ((message,),) = rows_of(history.database, "SELECT message FROM rejections")
    assert message == (f"the draft 'epoch-1' of {DIGITS} was opened with type 'dataset', not 'model'. Use that type.")
    assert rows_of(history.database, "SELECT type FROM drafts") == [("dataset",)]
