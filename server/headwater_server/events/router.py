"""The routes of version events."""

from fastapi import APIRouter

from headwater_server.events import names, pages, stream

router = APIRouter()
router.include_router(names.router)
router.include_router(pages.router)
router.include_router(stream.router)
