"""Retention policies on the log: each is a fact of its own, with who set it and why. What was said before is known."""

from headwater_consumer import queries
from headwater_schemas.errors import Reason
from headwater_schemas.events import Event, SettingsChanged

from tests.consumer.events import PROJECT
from tests.consumer.inspection import rejections_of, rows_of
from tests.support.history import History

FACTS = "SELECT name, to_position IS NULL FROM project_facts WHERE kind = 'retention' ORDER BY from_position, name"


def _set(policies: str) -> Event:
    return SettingsChanged(project=PROJECT, settings=f'{{"retention":{policies}}}')


def rules_of(history: History) -> dict[str, str | None]:
    return {info.name: info.rules for info in queries.retention_policies(history.database, PROJECT)}


def test_each_policy_is_set_as_a_whole_and_leaves_the_others(history: History) -> None:
    history.write(_set('{"*":{"keep_last":5,"keep_used":true},"images":{"keep_all":true}}'))
    history.write(_set('{"*":{"keep_last":9}}'), by="bert")

    assert rules_of(history) == {"*": '{"keep_last":9}', "images": '{"keep_all":true}'}
    assert [info.author for info in queries.retention_policies(history.database, PROJECT)] == ["bert", "ada"]
    assert queries.retention_policies(history.database, "team/other") == []


def test_a_policy_that_is_removed_says_by_whom(history: History) -> None:
    history.write(_set('{"images":{"keep_last":5}}'))
    history.write(_set('{"images":null,"never-set":null}'), by="bert")

    assert rules_of(history) == {"images": None}
    changes = queries.retention_changes(history.database, PROJECT)
    assert [(one.name, one.rules, one.author) for one in changes] == [
        ("images", None, "bert"),
        ("images", '{"keep_last":5}', "ada"),
    ]
    assert rows_of(history.database, FACTS) == [("images", 0), ("images", 1)]


def test_what_is_set_already_is_no_change(history: History) -> None:
    history.write(_set('{"*":{"keep_last":5}}'))
    history.write(_set('{"*":{"keep_last":5}}'), by="bert")

    assert [one.author for one in queries.retention_changes(history.database, PROJECT)] == ["ada"]


def test_policies_are_no_part_of_the_settings_that_people_read(history: History) -> None:
    before = queries.project_settings(history.database, PROJECT)
    history.write(_set('{"*":{"keep_last":5}}'))

    assert queries.project_settings(history.database, PROJECT) == before
    assert queries.has_begun(history.database, PROJECT)


def test_a_wrong_policy_is_refused_with_all_that_came_in_its_event(history: History) -> None:
    history.write(
        SettingsChanged(project=PROJECT, settings='{"draft_idle_days":3,"retention":{"*":{"keep_last":0}}}'),
        SettingsChanged(project=PROJECT, settings='{"retention":null}'),
    )

    assert rejections_of(history.database) == [Reason.INVALID, Reason.INVALID]
    assert queries.project_settings(history.database, PROJECT)["draft_idle_days"] == 7
    assert rules_of(history) == {}
