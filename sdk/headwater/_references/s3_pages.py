"""Pages of an S3 listing: the query for the next page, and a parser for the few fields that are recorded.

The client's own listing creates an object with a dozen fields per row, which takes most of its time.
Source: Amazon S3 API reference, ListObjectsV2 and ListObjectVersions.
"""

from typing import NamedTuple
from urllib.parse import unquote_plus
from xml.etree import ElementTree

PAGE_OBJECTS_MAX = 1000  # the most that S3 returns


class ListedObject(NamedTuple):
    """One object, or one version of it."""

    key: str
    etag: str | None
    size: int
    version: str | None
    is_latest: bool


class ListingPage(NamedTuple):
    """One page of a listing. A deleted object has no row that is the latest."""

    objects: list[ListedObject]
    next_query: dict[str, str] | None  # parameters of the next page; None after the last one


def page_query(prefix: str, next_query: dict[str, str] | None, *, versions: bool) -> dict[str, str]:
    """The query for one page. Empty values are sent too: policies may refer to them."""
    kind = {"versions": ""} if versions else {"list-type": "2"}
    return {
        **kind,
        "delimiter": "",
        "encoding-type": "url",
        "max-keys": str(PAGE_OBJECTS_MAX),
        "prefix": prefix,
        **(next_query or {}),
    }


def parse_page(body: bytes) -> ListingPage:
    """Parse a page. Raises: ParseError when the body is not one."""
    # The parser rejects exponential entities (since Expat 2.4.1), and loads nothing external.
    page = ElementTree.fromstring(body)  # noqa: S314
    fields = {_tag(child): child.text or "" for child in page}
    is_encoded = fields.get("EncodingType") == "url"
    try:
        objects = [_object(child, is_encoded) for child in page if _tag(child) in ("Contents", "Version")]
    except (KeyError, ValueError) as error:
        raise ElementTree.ParseError("an item of the listing has no key or size") from error
    return ListingPage(objects, _next_query(fields, is_encoded) if fields.get("IsTruncated") == "true" else None)


def _object(element: ElementTree.Element, is_encoded: bool) -> ListedObject:
    fields = {_tag(child): child.text or "" for child in element}
    key = unquote_plus(fields["Key"]) if is_encoded else fields["Key"]
    is_latest = fields.get("IsLatest", "true") == "true"
    return ListedObject(key, fields.get("ETag"), int(fields["Size"]), fields.get("VersionId"), is_latest)


def _next_query(fields: dict[str, str], is_encoded: bool) -> dict[str, str]:
    if token := fields.get("NextContinuationToken"):
        return {"continuation-token": token}
    key = fields.get("NextKeyMarker")
    if not key:
        raise ElementTree.ParseError("the listing is truncated without a marker for the next page")
    marker = unquote_plus(key) if is_encoded else key
    return {"key-marker": marker, "version-id-marker": fields.get("NextVersionIdMarker", "")}


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
