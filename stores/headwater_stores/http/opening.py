"""Open a store behind a server: one request, which says whether the token counts."""

from typing import TYPE_CHECKING, Any, cast

from headwater_runtime.closing import closed_on_failure
from headwater_schemas.errors import StoreUnavailable

from headwater_stores.config.server_address import ServerAddress
from headwater_stores.http.blobs import HttpBlobStore
from headwater_stores.http.connection import ServerConnection
from headwater_stores.http.log import HttpLog
from headwater_stores.http.outcomes import KnownOutcomes
from headwater_stores.http.projection import HttpProjection
from headwater_stores.http.reads import ServerReads
from headwater_stores.http.refusals import NotHere
from headwater_stores.stores import Stores

if TYPE_CHECKING:
    from headwater_consumer.database import Database


def open_server(address: ServerAddress, *, outage_s: float) -> Stores:
    """The store behind `address`. Raises: InvalidSettings without a token that counts; StoreUnavailable."""
    with closed_on_failure(ServerConnection(address, outage_s=outage_s)) as server:
        identity: Any = server.request("GET", "/v1/me").json
        try:
            principal, generation = str(identity["principal"]), str(identity["generation"])
        except (KeyError, TypeError):
            raise StoreUnavailable(f"{server.name} is not a headwater server. Check HEADWATER_URL.") from None
    blobs, outcomes = HttpBlobStore(server), KnownOutcomes()
    return Stores(
        server.name,
        HttpLog(server, identity, blobs.staged, outcomes),
        blobs,
        cast("Database", NotHere("what works on the database", server.name)),
        ServerReads(server),
        HttpProjection(server, generation, outcomes),
        read_only=False,
        is_remote=True,
        principal=principal,
    )
