"""Every read takes `not_before`: a cut that a write returned, or an event came with. It is waited for."""

from fastapi import Depends
from headwater_consumer.subscriptions.starting import cut_of

from headwater_server.access.caller import CallerOf
from headwater_server.service import ServiceOf


async def wait_for_cut(service: ServiceOf, caller: CallerOf, not_before: str | None = None) -> None:
    """Return once the projection covers the cut. Raises: as `CutWaits.wait`."""
    if not_before is not None:
        await service.waits.wait(cut_of(service.stores.log, not_before), principal=caller.principal)


NotBefore = Depends(wait_for_cut)
