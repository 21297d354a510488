"""References to web servers that behave, and to those that do not."""

import gzip
import os
from pathlib import Path

import pytest
from headwater._references import connections
from headwater._references.http import REDIRECTS_MAX
from headwater._references.listing import FoundObject
from headwater._references.schemes import fetch, look_up
from headwater.errors import InvalidInput, InvalidSettings, NotFound, ReferenceChanged, StoreUnavailable
from headwater_blobs.port import CHUNK_BYTES
from headwater_blobs.s3.client import RETRIES
from headwater_schemas.entries import Reference

from tests.references.objects import recorded
from tests.support.web import Page, Web, new_certificate, serving

CONTENT = b"0123456789" * 1000


def look_up_one(uri: str) -> FoundObject:
    listing = look_up(uri)
    assert not listing.is_prefix
    (found,) = listing.objects
    return found


def content_of(reference: Reference) -> bytes:
    return b"".join(fetch(reference))


def test_the_artifact_will_track_checksums_in_the_form_of_etags_and_size_metadata(web: Web) -> None:
    uri = web.put("/data/train.csv", Page(CONTENT, '"v1"'))

    assert look_up_one(uri) == FoundObject("train.csv", uri, "etag:v1", len(CONTENT), None)
    assert web.asked == ["GET /data/train.csv"]
    assert web.headers[-1]["Range"] == "bytes=0-0"


def test_a_server_that_gives_neither_etag_nor_length_leaves_both_unknown(web: Web) -> None:
    uri = web.put("/train.csv", Page(CONTENT, says_length=False, takes_ranges=False))

    assert look_up_one(uri) == FoundObject("train.csv", uri, None, None, None)
    assert content_of(recorded(look_up_one(uri))) == CONTENT


def test_a_weak_etag_is_kept_as_it_was_given(web: Web) -> None:
    uri = web.put("/a", Page(CONTENT, 'W/"v1"'))

    assert look_up_one(uri).checksum == 'etag:W/"v1"'
    assert content_of(recorded(look_up_one(uri))) == CONTENT


def test_a_name_is_inferred_from_the_last_segment_without_percents_query_and_fragment(web: Web) -> None:
    web.pages["/a%20b.txt"] = web.pages["/dir/"] = Page(CONTENT)

    assert look_up_one(f"{web.address}/a%20b.txt?token=1#top").path == "a b.txt"
    assert look_up(f"{web.address}/dir/", named=True).objects[0].path == "dir"


def test_an_address_that_ends_in_no_name_needs_one(web: Web) -> None:
    for path in ("", "/", "/dir/", "/?q=1"):
        with pytest.raises(InvalidInput, match=r"does not end in a name for the entry\. Pass one, such as name="):
            look_up(web.address + path)

    assert web.asked == []


def test_a_redirect_is_followed_and_the_address_that_was_given_is_recorded(web: Web) -> None:
    web.put("/real", Page(CONTENT, '"v1"'))
    uri = web.put("/alias.csv", Page(status=302, location="/real"))

    found = look_up_one(uri)

    assert found == FoundObject("alias.csv", uri, "etag:v1", len(CONTENT), None)
    assert content_of(recorded(found)) == CONTENT


def test_redirects_are_followed_within_a_limit(web: Web) -> None:
    for step in range(REDIRECTS_MAX):
        web.put(f"/{step}", Page(status=307, location=f"/{step + 1}"))
    web.put(f"/{REDIRECTS_MAX}", Page(CONTENT))
    assert look_up_one(f"{web.address}/0").size == len(CONTENT)

    web.put(f"/{REDIRECTS_MAX}", Page(status=307, location="/0"))
    with pytest.raises(StoreUnavailable, match=f"redirects more than {REDIRECTS_MAX} times"):
        look_up(f"{web.address}/0")


def test_a_redirect_from_https_to_http_is_refused(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = new_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    target = web.put("/real", Page(CONTENT))
    with serving(certificate) as safe:
        uri = safe.put("/a", Page(status=301, location=target))
        good = safe.put("/good", Page(CONTENT))

        assert look_up_one(good).size == len(CONTENT)
        with pytest.raises(StoreUnavailable, match="redirects from https to http://"):
            look_up(uri)

    assert web.asked == []


def test_a_redirect_in_bytes_of_utf_8_is_followed_as_browsers_do(web: Web) -> None:
    web.put("/donn%C3%A9es%20%231.csv", Page(CONTENT, '"v1"'))
    uri = web.put("/data", Page(status=302, location="/données%20%231.csv"))

    assert content_of(recorded(look_up_one(uri))) == CONTENT


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://host/a", "https:///a", "http://host:99999/a"])
def test_a_redirect_to_what_is_no_web_server_is_refused(web: Web, location: str) -> None:
    uri = web.put("/a", Page(status=302, location=location))

    with pytest.raises(InvalidInput, match="is not an address like https://host/path, or redirects to none"):
        look_up(uri)


def test_a_redirect_to_a_user_and_password_is_refused_without_showing_them(web: Web) -> None:
    uri = web.put("/a", Page(status=302, location=web.address.replace("//", "//me:secret@") + "/b"))

    with pytest.raises(StoreUnavailable, match="redirects to an address with a user") as caught:
        look_up(uri)

    assert "secret" not in str(caught.value)


def test_a_look_up_asks_as_a_download_does_because_head_may_be_answered_otherwise(web: Web) -> None:
    """Some servers refuse HEAD, and some give another ETag or length; adding the reference anew would not help."""
    uri = web.put("/train.csv", Page(CONTENT, '"v1"'))

    assert content_of(recorded(look_up_one(uri))) == CONTENT
    assert web.asked == ["GET /train.csv", "GET /train.csv"]


@pytest.mark.parametrize("length", ["-1", "1e3", "٣", "9" * 30])
def test_a_length_that_is_none_is_not_recorded(web: Web, length: str) -> None:
    uri = web.put("/a", Page(CONTENT, length=length, takes_ranges=False))

    assert look_up_one(uri).size is None


@pytest.mark.parametrize("etag", ["", "a" * 2000, '"\x01"'])
def test_an_etag_that_cannot_be_kept_is_not_recorded(web: Web, etag: str) -> None:
    uri = web.put("/a", Page(CONTENT, etag))

    assert look_up_one(uri).checksum is None
    assert content_of(recorded(look_up_one(uri))) == CONTENT


def test_a_server_that_refuses_ranges_still_gives_its_length(web: Web) -> None:
    uri = web.put("/a", Page(CONTENT, takes_ranges=False))

    assert look_up_one(uri).size == len(CONTENT)


def test_an_empty_file_is_empty(web: Web) -> None:
    uri = web.put("/a", Page(b"", '"v1"'))

    assert look_up_one(uri) == FoundObject("a", uri, "etag:v1", 0, None)
    assert content_of(recorded(look_up_one(uri))) == b""


def test_what_is_not_there_is_named_and_not_added(web: Web) -> None:
    with pytest.raises(NotFound, match=r"/nothing\?… does not exist: the server returned 404"):
        look_up(f"{web.address}/nothing?key=secret")


def test_a_server_that_asks_for_a_login_is_named(web: Web) -> None:
    uri = web.put("/a", Page(status=401))

    with pytest.raises(StoreUnavailable, match="requires a login"):
        look_up(uri)


@pytest.mark.usefixtures("_impatient")
def test_a_busy_server_is_asked_again_and_then_named(web: Web) -> None:
    uri = web.put("/a", Page(status=503))

    with pytest.raises(StoreUnavailable, match="returned 503"):
        look_up(uri)

    assert len(web.asked) == 1 + RETRIES


def test_a_server_that_says_nothing_is_given_up(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_S_MAX", 0.2)
    uri = web.put("/a", Page(CONTENT, wait_s=2))

    with pytest.raises(StoreUnavailable, match="no answer in time"):
        look_up(uri)


def test_a_server_that_is_slow_but_answers_is_waited_for(web: Web) -> None:
    uri = web.put("/a", Page(CONTENT, wait_s=1))

    assert look_up_one(uri).size == len(CONTENT)


@pytest.mark.usefixtures("_impatient")
def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(StoreUnavailable, match=r"http://127\.0\.0\.1:1/a: connection refused"):
        look_up("http://127.0.0.1:1/a")


@pytest.mark.parametrize("uri", ["http:///a", "http:a", "http://host:port/a", "http://h st/a"])
def test_an_address_without_a_host_is_refused(uri: str) -> None:
    with pytest.raises(InvalidInput, match="an address like https://host/path"):
        look_up(uri)


def test_another_etag_than_was_recorded_is_an_error_before_any_byte(web: Web) -> None:
    uri = web.put("/data.csv", Page(CONTENT, '"v1"'))
    reference = recorded(look_up_one(uri))
    web.put("/data.csv", Page(CONTENT[::-1], '"v2"'))

    with pytest.raises(ReferenceChanged, match=r"'data.csv' refers to .*: recorded etag:v1, found etag:v2"):
        next(fetch(reference))


@pytest.mark.parametrize(("recorded_etag", "now"), [('"v1"', 'W/"v1"'), ('W/"v1"', '"v1"'), ('W/"v1"', 'W/"v1"')])
def test_a_weak_etag_and_a_strong_one_are_compared_by_what_is_in_their_quotes(
    web: Web, recorded_etag: str, now: str
) -> None:
    uri = web.put("/a", Page(CONTENT, recorded_etag))
    reference = recorded(look_up_one(uri))
    web.put("/a", Page(CONTENT, now))

    assert content_of(reference) == CONTENT


@pytest.mark.parametrize("now", ['W/"v2"', "v2", None])
def test_any_other_etag_is_an_error_that_also_knows_servers_with_a_new_one_for_each_answer(
    web: Web, now: str | None
) -> None:
    uri = web.put("/a", Page(CONTENT, 'W/"v1"'))
    reference = recorded(look_up_one(uri))
    web.put("/a", Page(CONTENT, now))

    with pytest.raises(
        ReferenceChanged, match=r"recorded etag:W/\"v1\", found .*new ETag for each answer, add it with"
    ):
        next(fetch(reference))


def test_another_size_than_was_recorded_is_an_error_before_any_byte(web: Web) -> None:
    uri = web.put("/a", Page(CONTENT))
    reference = recorded(look_up_one(uri))
    web.put("/a", Page(CONTENT + b"more"))

    with pytest.raises(ReferenceChanged, match="recorded 10,000 bytes, found 10,004"):
        next(fetch(reference))


@pytest.mark.parametrize("now", [CONTENT[:-1], CONTENT + b"more"])
def test_another_size_that_no_header_tells_is_an_error_instead_of_the_end(web: Web, now: bytes) -> None:
    uri = web.put("/a", Page(CONTENT))
    reference = recorded(look_up_one(uri))
    web.put("/a", Page(now, says_length=False))

    with pytest.raises(ReferenceChanged, match="recorded 10,000 bytes, "):
        content_of(reference)


def test_a_file_that_is_gone_is_an_error_that_names_it(web: Web) -> None:
    uri = web.put("/a", Page(CONTENT))
    reference = recorded(look_up_one(uri))
    del web.pages["/a"]

    with pytest.raises(ReferenceChanged, match="recorded a file, which no longer exists"):
        content_of(reference)


def test_a_body_that_breaks_off_goes_on_where_it_broke(web: Web) -> None:
    uri = web.put("/a", Page(CONTENT, '"v1"', breaks=2, breaks_after=4000))

    assert content_of(recorded(look_up_one(uri))) == CONTENT
    assert web.headers[-1]["Range"] == "bytes=4000-"


@pytest.mark.usefixtures("_impatient")
def test_a_body_that_always_breaks_off_is_an_error_not_a_short_file(web: Web) -> None:
    uri = web.put("/a", Page(CONTENT, '"v1"', breaks=1000, breaks_after=4000))

    with pytest.raises(StoreUnavailable, match="broke off at byte 4,000"):
        content_of(recorded(look_up_one(uri)))


@pytest.mark.parametrize("page", [Page(CONTENT), Page(CONTENT, 'W/"v1"'), Page(CONTENT, '"v1"', takes_ranges=False)])
def test_a_body_that_breaks_off_is_not_joined_to_what_may_be_another(web: Web, page: Page) -> None:
    reference = recorded(look_up_one(web.put("/a", page)))
    page.breaks, page.breaks_after = 1, 4000

    with pytest.raises(StoreUnavailable, match="broke off at byte 4,000"):
        content_of(reference)


def test_content_that_changes_while_it_is_read_is_an_error(web: Web) -> None:
    uri = web.put("/a", Page(CONTENT, '"v1"', breaks=1, breaks_after=4000, then=CONTENT[::-1]))

    with pytest.raises(ReferenceChanged, match="recorded etag:v1, found etag:another"):
        content_of(recorded(look_up_one(uri)))


def test_a_large_file_comes_in_pieces_of_bounded_size(web: Web) -> None:
    uri = web.put("/a", Page(bytes(3 * CHUNK_BYTES + 1)))

    sizes = [len(piece) for piece in fetch(recorded(look_up_one(uri)))]

    assert max(sizes) <= CHUNK_BYTES
    assert sum(sizes) == 3 * CHUNK_BYTES + 1


def test_what_was_added_without_a_checksum_is_fetched_as_it_is(web: Web) -> None:
    uri = web.put("/a", Page(CONTENT, '"v1"'))

    assert content_of(Reference("a", uri)) == CONTENT


def test_no_request_asks_for_a_compressed_body(web: Web) -> None:
    uri = web.put("/a", Page(CONTENT))

    content_of(recorded(look_up_one(uri)))

    assert {one["Accept-Encoding"] for one in web.headers} == {"identity"}


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
def test_a_body_that_is_compressed_all_the_same_is_the_file_itself(web: Web, coding: str) -> None:
    packed = gzip.compress(CONTENT[:5000]) + gzip.compress(CONTENT[5000:])
    uri = web.put("/table.csv", Page(packed, 'W/"v1"', coding=coding))

    found = look_up_one(uri)

    assert (found.checksum, found.size) == ('etag:W/"v1"', None)  # the length is that of the packed form
    assert content_of(recorded(found)) == CONTENT


def test_a_file_that_was_plain_when_it_was_added_is_the_same_when_it_comes_compressed(web: Web) -> None:
    uri = web.put("/table.csv", Page(CONTENT, '"v1"'))
    reference = recorded(look_up_one(uri))
    web.put("/table.csv", Page(gzip.compress(CONTENT), 'W/"v1"', coding="gzip"))

    assert content_of(reference) == CONTENT

    web.put("/table.csv", Page(gzip.compress(CONTENT + b"more"), 'W/"v1"', coding="gzip"))
    with pytest.raises(ReferenceChanged, match="recorded 10,000 bytes, found more than 10,000"):
        content_of(reference)


@pytest.mark.parametrize(("name", "kind"), [("labels.csv.gz", "text/csv"), ("labels", "application/gzip; x=1")])
def test_a_file_that_is_stored_packed_stays_as_it_is(web: Web, name: str, kind: str) -> None:
    packed = gzip.compress(CONTENT)
    uri = web.put(f"/{name}", Page(packed, '"v1"', coding="gzip", kind=kind))

    assert look_up_one(uri).size == len(packed)
    assert content_of(recorded(look_up_one(uri))) == packed


def test_what_is_packed_otherwise_is_refused_when_it_is_added_and_when_it_is_fetched(web: Web) -> None:
    uri = web.put("/a", Page(CONTENT, coding="br"))

    with pytest.raises(StoreUnavailable, match="compresses the content as 'br' although it was asked not to"):
        look_up(uri)
    with pytest.raises(StoreUnavailable, match=r"'a': .* compresses the content as 'br'"):
        content_of(Reference("a", uri))


@pytest.mark.parametrize(
    "broken",
    [gzip.compress(CONTENT)[:-9], gzip.compress(CONTENT) + b"more", CONTENT],
    ids=["cut off", "followed by something", "not packed"],
)
def test_a_compressed_body_that_is_not_whole_is_an_error_never_a_short_file(web: Web, broken: bytes) -> None:
    uri = web.put("/a", Page(broken, coding="gzip"))

    with pytest.raises(StoreUnavailable, match="what it sent is not whole"):
        content_of(recorded(look_up_one(uri)))


def test_a_compressed_body_of_nothing_is_nothing(web: Web) -> None:
    uri = web.put("/a", Page(b"", coding="gzip"))

    assert content_of(recorded(look_up_one(uri))) == b""


def test_a_compressed_body_is_unpacked_in_pieces_of_bounded_size(web: Web) -> None:
    uri = web.put("/a", Page(gzip.compress(bytes(3 * CHUNK_BYTES + 1)), coding="gzip"))

    sizes = [len(piece) for piece in fetch(recorded(look_up_one(uri)))]

    assert max(sizes) <= CHUNK_BYTES
    assert sum(sizes) == 3 * CHUNK_BYTES + 1


def test_a_compressed_body_that_breaks_off_goes_on_where_it_broke(web: Web) -> None:
    packed = gzip.compress(os.urandom(8000))
    uri = web.put("/a", Page(packed, '"v1"', coding="gzip", breaks=1, breaks_after=4000))

    assert content_of(recorded(look_up_one(uri))) == gzip.decompress(packed)


def test_a_proxy_of_another_kind_is_named_without_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "socks5://me:secret@proxy:1080")

    with pytest.raises(InvalidSettings, match="http_proxy names a proxy that is neither") as caught:
        look_up("http://nowhere.invalid/a")

    assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("_impatient")
def test_a_proxy_is_honoured_and_left_out_where_no_proxy_says_so(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    web.put("/a", Page(CONTENT))
    monkeypatch.setenv("HTTP_PROXY", web.address)
    monkeypatch.setenv("http_proxy", web.address)

    assert look_up_one("http://nowhere.invalid/a").size == len(CONTENT)
    assert web.asked == ["GET http://nowhere.invalid/a"]

    monkeypatch.setenv("NO_PROXY", "nowhere.invalid")
    monkeypatch.setenv("no_proxy", "nowhere.invalid")
    with pytest.raises(StoreUnavailable, match=r"http://nowhere\.invalid/a: "):
        look_up("http://nowhere.invalid/a")
