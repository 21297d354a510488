"""What was fetched for a reference once is known again by its bytes, and the rest is fetched."""

import os
from pathlib import Path

import headwater
from headwater._commit.client import forget_client
from headwater.errors import ReferenceChanged
from headwater_schemas.entries import Reference

from tests.sdk.downloads import LARGE, RECORDED, client, content_of, page, put, referring, refusal
from tests.sdk.downloads import quiet_store as quiet_store
from tests.sdk.downloads import root as root
from tests.support.web import Web


def test_what_was_fetched_for_an_etag_is_known_by_its_bytes_and_only_the_damaged_is_fetched_again(
    root: Path, web: Web
) -> None:
    large = os.urandom(LARGE)
    artifact = referring(page(web, "page"), page(web, "kept"), page(web, "large", large))
    artifact.download(root)
    put(root, {"page": RECORDED[::-1]})
    web.asked.clear()

    artifact.download(root)

    assert web.asked == ["GET /page"]
    assert content_of(root) == {"page": RECORDED, "kept": RECORDED, "large": large}


def test_a_download_of_etags_that_was_cut_off_fetches_the_rest_also_in_the_next_process(root: Path, web: Web) -> None:
    artifact = referring(*(page(web, str(number)) for number in range(20)))
    lost = web.pages.pop("/11")
    refusal(ReferenceChanged, lambda: artifact.download(root))
    landed = set(content_of(root))
    web.put("/11", lost)
    web.asked.clear()
    forget_client(client())

    headwater.Api().artifact("references:latest").download(root)

    assert sorted(web.asked) == sorted(f"GET /{number}" for number in range(20) if str(number) not in landed)
    assert content_of(root) == {str(number): RECORDED for number in range(20)}


def test_what_was_fetched_for_one_etag_is_not_taken_for_another(root: Path, web: Web) -> None:
    referring(page(web, "page")).download(root)

    referring(page(web, "page", RECORDED[::-1], etag="other"), name="others").download(root)

    assert content_of(root) == {"page": RECORDED[::-1]}


def test_what_was_recorded_without_anything_that_changes_with_it_is_fetched_each_time(root: Path, web: Web) -> None:
    artifact = referring(Reference("page", page(web, "page").uri))
    artifact.download(root)
    page(web, "page", RECORDED[::-1])

    artifact.download(root)

    assert content_of(root) == {"page": RECORDED[::-1]}
