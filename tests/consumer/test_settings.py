"""What is set for a project: who hears of it, what it can be, and what is the case where nothing was said."""

import pytest
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import projects
from headwater_consumer.writing.runner import Projector
from headwater_producer.producer import Producer
from headwater_schemas import keys, metadata
from headwater_schemas.errors import InvalidInput, Reason
from headwater_schemas.events import AccessGranted, SettingsChanged
from headwater_schemas.limits import TAGS_MAX
from headwater_schemas.settings import check_settings, protection

from tests.consumer.events import PROJECT
from tests.consumer.inspection import Databases, rejections_of, rows_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog
from tests.support.projections import project_all

DEFAULTS = {"digest_algorithm": "xxh3", "draft_idle_days": 7, "restore_days": 30, "protected_aliases": []}


def _set(settings: str) -> SettingsChanged:
    return SettingsChanged(project=PROJECT, settings=settings)


def test_a_project_has_the_defaults_until_it_sets_something_else(history: History) -> None:
    before = queries.project_settings(history.database, PROJECT)
    history.write(_set('{"draft_idle_days":30}'), _set('{"digest_algorithm":"blake3"}'))
    changed = queries.project_settings(history.database, PROJECT)
    history.write(_set('{"draft_idle_days":null}'))

    assert before == DEFAULTS
    assert changed == {**DEFAULTS, "digest_algorithm": "blake3", "draft_idle_days": 30}
    assert queries.project_settings(history.database, PROJECT) == {**DEFAULTS, "digest_algorithm": "blake3"}
    assert queries.draft_idle_days(history.database, PROJECT) == 7
    assert queries.chosen_algorithm(history.database, PROJECT) == "blake3"
    assert queries.chosen_algorithm(history.database, "team/other") is None
    assert queries.project_settings(history.database, "team/other") == DEFAULTS


def test_aliases_are_protected_until_others_are(history: History) -> None:
    history.write(_set('{"protected_aliases":{"prod":true,"stable":true}}'), _set('{"draft_idle_days":9}'))
    before = projects.protected_aliases(history.database, PROJECT)
    history.write(_set('{"protected_aliases":{"stable":null,"unknown":null}}'))

    assert before == {"prod", "stable"}
    assert projects.protected_aliases(history.database, PROJECT) == {"prod"}
    assert projects.protected_aliases(history.database, "team/other") == set()


def test_of_two_who_protect_aliases_at_the_same_time_neither_undoes_what_the_other_did(history: History) -> None:
    history.write(_set('{"protected_aliases":{"old":true}}'))
    history.write(_set(metadata.encode(protection(["prod"], ["old"]))), by="ada")
    history.write(_set(metadata.encode(protection(["stable"]))), by="bert")  # who has not seen that

    assert projects.protected_aliases(history.database, PROJECT) == {"prod", "stable"}


def test_no_more_aliases_are_protected_than_there_may_be(history: History) -> None:
    for start in range(0, TAGS_MAX, TAGS_MAX // 2):
        aliases = [f"a{number}" for number in range(start, start + TAGS_MAX // 2)]
        history.write(_set(metadata.encode(protection(aliases))))
    history.write(_set(metadata.encode(protection(["one-more"]))))

    assert len(projects.protected_aliases(history.database, PROJECT)) == TAGS_MAX
    assert rejections_of(history.database) == [Reason.INVALID]


@pytest.mark.parametrize("other", ['"xxh3"', "null"])
def test_a_digest_algorithm_is_chosen_once(history: History, other: str) -> None:
    history.write(_set('{"digest_algorithm":"blake3"}'), _set('{"digest_algorithm":"blake3","draft_idle_days":9}'))
    history.write(_set(f'{{"digest_algorithm":{other},"draft_idle_days":3}}'))

    assert rejections_of(history.database) == [Reason.ALGORITHM_CHOSEN]
    ((message,),) = rows_of(history.database, "SELECT message FROM rejections")
    assert message == (
        f"{PROJECT} uses the digest algorithm blake3, since somebody chose it or logged something with it, and that "
        "cannot change. Log again, which follows it, or use another project for another algorithm."
    )
    settings = queries.project_settings(history.database, PROJECT)
    assert settings == {**DEFAULTS, "digest_algorithm": "blake3", "draft_idle_days": 9}


def test_the_default_digest_algorithm_that_was_chosen_in_words_is_chosen_as_well(history: History) -> None:
    history.write(_set('{"digest_algorithm":"xxh3"}'), _set('{"digest_algorithm":null}'))
    history.write(_set('{"digest_algorithm":"blake3"}'))

    assert queries.chosen_algorithm(history.database, PROJECT) == "xxh3"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ('{"colour":"red"}', "'colour' is no setting"),
        ('{"digest_algorithm":"md5"}', "digest_algorithm cannot be 'md5'"),
        ('{"digest_algorithm":["xxh3"]}', "digest_algorithm cannot be"),
        ('{"draft_idle_days":0}', "draft_idle_days cannot be 0"),
        ('{"draft_idle_days":1.5}', "draft_idle_days cannot be 1.5"),
        ('{"draft_idle_days":true}', "draft_idle_days cannot be True"),
        ('{"draft_idle_days":"7"}', "draft_idle_days cannot be '7'"),
        ('{"protected_aliases":"prod"}', "protected_aliases cannot be 'prod'"),
        ('{"protected_aliases":{"prod":true,"v3":true}}', "protected_aliases cannot be"),
        ('{"protected_aliases":{"latest":true}}', "aliases other than latest"),
        ('{"protected_aliases":["prod"]}', "protected_aliases cannot be ['prod']"),
        ('{"protected_aliases":{"prod":false}}', "protected_aliases cannot be {'prod': False}"),
    ],
)
def test_what_is_no_setting_or_cannot_be_one_is_refused_by_name(history: History, settings: str, named: str) -> None:
    history.write(_set(settings))

    assert rejections_of(history.database) == [Reason.INVALID]
    ((message,),) = rows_of(history.database, "SELECT message FROM rejections")
    assert named in message
    assert queries.project_settings(history.database, PROJECT) == DEFAULTS


def test_settings_can_be_checked_before_they_are_sent() -> None:
    check_settings({"digest_algorithm": "blake3", "draft_idle_days": None})

    with pytest.raises(InvalidInput, match=r"digest_algorithm, draft_idle_days, protected_aliases, restore_days"):
        check_settings({"colour": "red"})


def test_administration_is_judged_once_in_one_order(databases: Databases) -> None:
    log = MemoryLog(3)
    producer = Producer(log, author="ada")
    granted = AccessGranted(scope=PROJECT, principal="headwater|bert", role="reader")
    with databases.empty() as database:
        for event in (_set('{"draft_idle_days":3}'), granted, _set('{"draft_idle_days":4}')):
            producer.send([event])
            producer.confirm()
        _project(log, database)

        known = "SELECT partition, value FROM project_facts WHERE kind = 'settings' AND to_position IS NULL"
        partition = log.partition_of(keys.project_key(PROJECT))
        assert rows_of(database, known) == [(partition, '{"draft_idle_days":4}')]
        assert rejections_of(database) == []
        assert queries.draft_idle_days(database, PROJECT) == 4


def _project(log: MemoryLog, database: Database) -> None:
    project_all(log, Projector(log, database))
