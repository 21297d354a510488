"""Who is told version events by webhook, as the projection has it."""

import pytest
from headwater_consumer import queries
from headwater_schemas.errors import Reason
from headwater_schemas.events import SubscriptionAdded, SubscriptionRemoved
from headwater_schemas.webhooks import WebhookSettings

from tests.consumer.inspection import rejections_of, rows_of
from tests.support.history import History

URL = "https://example.org/hook"


def added(scope: str, subscription: str = "hook_1", **settings: object) -> SubscriptionAdded:
    text = WebhookSettings(**{"url": URL, **settings}).encode()  # type: ignore[arg-type]
    return SubscriptionAdded(scope=scope, subscription=subscription, settings=text)


def listed(history: History, scope: str, **more: object) -> list[tuple[str, str]]:
    found = queries.subscriptions(history.database, scope, **more)  # type: ignore[arg-type]
    return [(one.scope, one.subscription) for one in found]


def test_a_subscription_is_known_by_its_id_with_who_made_it(history: History) -> None:
    history.write(added("acme/vision", kinds=("alias-moved",), alias="prod"), by="headwater|olga")

    found = queries.subscription_with_id(history.database, "hook_1")
    assert found is not None
    assert (found.scope, found.author) == ("acme/vision", "headwater|olga")
    assert WebhookSettings.decode(found.settings) == WebhookSettings(url=URL, kinds=("alias-moved",), alias="prod")
    assert queries.subscription_with_id(history.database, "hook_2") is None


def test_who_changes_or_repeats_a_subscription_lends_it_its_rights(history: History) -> None:
    history.write(added("acme/vision"), by="headwater|olga")
    history.write(added("acme/vision"), by="headwater|olga")
    (first,) = queries.all_subscriptions(history.database)
    history.write(added("acme/vision"), by="headwater|otto")
    (second,) = queries.all_subscriptions(history.database)

    assert (first.author, second.author) == ("headwater|olga", "headwater|otto")
    assert len(rows_of(history.database, "SELECT settings FROM subscriptions")) == 2, "the past is kept"


def test_a_project_lists_those_of_its_entity_too_and_an_entity_those_of_its_projects(history: History) -> None:
    for scope in ("acme", "acme/vision", "acme/voice", "acmeother", "other/vision"):
        history.write(added(scope, f"hook_{scope.replace('/', '-')}"))

    assert [scope for scope, _ in listed(history, "acme")] == ["acme", "acme/vision", "acme/voice"]
    assert [scope for scope, _ in listed(history, "acme/vision")] == ["acme", "acme/vision"]
    first = listed(history, "acme", limit=2)
    assert [*first, *listed(history, "acme", after=first[-1])] == listed(history, "acme")


def test_one_that_was_removed_is_nowhere(history: History) -> None:
    history.write(added("acme"))
    history.write(SubscriptionRemoved(scope="acme", subscription="hook_1"))
    history.write(SubscriptionRemoved(scope="acme", subscription="hook_1"))

    assert queries.subscription_with_id(history.database, "hook_1") is None
    assert queries.all_subscriptions(history.database) == []
    assert queries.scopes_of_subscription(history.database, "hook_1") == ["acme"], "its id stays with its scope"
    assert not rejections_of(history.database)


@pytest.mark.parametrize("settings", ["{}", '{"url":"file:///etc/passwd"}', '{"a":"b","url":"https://example.org"}'])
def test_settings_that_are_none_are_rejected(history: History, settings: str) -> None:
    history.write(SubscriptionAdded(scope="acme", subscription="hook_1", settings=settings))

    assert queries.all_subscriptions(history.database) == []
    (rejection,) = rejections_of(history.database)
    assert rejection == Reason.INVALID.value
