"""What is sent: a version event as a CloudEvent, signed as Standard Webhooks says."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from headwater_schemas.version_events import CONTENT_TYPE, VersionEvent
from headwater_schemas.webhooks import TEST_KIND
from standardwebhooks import Webhook

_USER_AGENT = "headwater-webhooks/1"


@dataclass(frozen=True, slots=True)
class Message:
    """One event, the same at each attempt."""

    id: str
    kind: str
    subject: str  # the collection or run
    body: bytes

    def headers(self, secrets: Sequence[str], now: datetime) -> dict[str, str]:
        """Those of one attempt at `now` (UTC): receivers refuse a signature that is minutes old."""
        assert now.tzinfo is UTC, "the library takes the fields of any time for UTC"
        signatures = [Webhook(secret).sign(self.id, now, self.body.decode()) for secret in secrets]
        return {
            "content-type": CONTENT_TYPE,
            "user-agent": _USER_AGENT,
            "webhook-id": self.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


def message_of(event: VersionEvent) -> Message:
    """What tells of a version event."""
    return Message(event.id, event.kind, event.subject, _encoded(event.to_json()))


def test_message(scope: str, subscription: str) -> Message:
    """What an admin has sent to see whether it arrives."""
    id_ = f"test_{os.urandom(8).hex()}"
    told = {
        "specversion": "1.0",
        "id": id_,
        "source": f"/headwater/webhooks/{subscription}",
        "type": f"headwater.{TEST_KIND}.v1",
        "subject": scope,
        "time": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {"scope": scope, "webhook": subscription},
    }
    return Message(id_, TEST_KIND, scope, _encoded(told))


def _encoded(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
