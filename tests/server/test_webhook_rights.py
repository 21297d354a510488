"""A webhook has the present rights of who made it, and tells no more than they may read."""

from contextlib import closing
from pathlib import Path

import headwater
import pytest
from headwater_consumer.operational.webhook_states import webhook_state
from headwater_schemas.events import SubscriptionAdded
from headwater_schemas.webhooks import WebhookSettings
from headwater_server.metrics import Metrics
from headwater_server.outgoing.addresses import AddressRules
from headwater_server.webhooks.deliverer import Deliverer
from headwater_stores.config.settings import read_settings
from headwater_stores.opening import open_stores
from headwater_stores.operational import open_operational

from tests.support.history import Writer
from tests.support.receivers import receiving
from tests.support.serving import until

PROJECT, HOOK = "team/vision", "hook_0123456789abcdef"


def use(project: str) -> None:
    with headwater.init(project=project, id="user") as run:
        run.use_artifact(f"{PROJECT}/images:v0")


def test_a_use_by_a_run_that_its_maker_may_not_read_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = str(tmp_path / "store")
    given = {"URL": url, "ENTITY": "team", "PROJECT": "vision", "QUIET": "true"}
    for name, value in given.items():
        monkeypatch.setenv(f"HEADWATER_{name}", value)
    with headwater.init(id="logger") as run:
        artifact = headwater.Artifact("images", type="dataset")
        with artifact.new_file("a.txt") as file:
            file.write("a cat")
        run.log_artifact(artifact).wait()
    headwater.Api().grant("ana", "admin", PROJECT)
    settings = read_settings(url=url)
    with (
        receiving() as receiver,
        closing(open_operational(settings)) as operational,
        closing(open_stores(settings, create=True)) as stores,
    ):
        wanted = WebhookSettings(url=receiver.url, kinds=("artifact-used",)).encode()
        added = SubscriptionAdded(scope=PROJECT, subscription=HOOK, settings=wanted)
        Writer(stores.log, "headwater|ana").write(added)
        stores.projection.catch_up(timeout_s=30)
        rules = AddressRules.opened(["127.0.0.1"])
        deliverer = Deliverer(stores, operational, key=b"k" * 32, rules=rules, metrics=Metrics())
        deliverer.start()
        try:
            until(lambda: webhook_state(operational, HOOK) is not None)
            use("secret")
            use("vision")
            stores.projection.catch_up(timeout_s=30)
            until(lambda: receiver.taken)
        finally:
            deliverer.stop()

        assert [event["data"]["run"] for event in receiver.taken] == [f"{PROJECT}/user"]
