"""Pages of an S3 listing: the question for the next one, and the answer, read for what is recorded and no more.

The client's own listing makes an object with a dozen fields of each row, which takes most of its time.
Source: Amazon S3 API reference, ListObjectsV2 and ListObjectVersions.
"""

from typing import NamedTuple
from urllib.parse import unquote_plus
from xml.etree import ElementTree

ROWS_MAX = 1000  # of one page: what S3 gives at most


class Row(NamedTuple):
    """One object, or one version of it."""

    key: str
    etag: str | None
    size: int
    version: str | None
    is_latest: bool


class Page(NamedTuple):
    """What is deleted now has no row that is the latest."""

    rows: list[Row]
    rest: dict[str, str] | None  # what to ask the next page with; None after the last


def question(prefix: str, rest: dict[str, str] | None, *, versions: bool) -> dict[str, str]:
    """The query for one page. Empty values are sent too: policies may be about them."""
    kind = {"versions": ""} if versions else {"list-type": "2"}
    return {
        **kind,
        "delimiter": "",
        "encoding-type": "url",
        "max-keys": str(ROWS_MAX),
        "prefix": prefix,
        **(rest or {}),
    }


def read(body: bytes) -> Page:
    """The page that was answered. Raises: ParseError when it is none."""
    # The parser refuses entities that multiply (from Expat 2.4.1 on), and loads nothing from outside.
    page = ElementTree.fromstring(body)  # noqa: S314
    said = {_name(child): child.text or "" for child in page}
    is_encoded = said.get("EncodingType") == "url"
    try:
        rows = [_row(child, is_encoded) for child in page if _name(child) in ("Contents", "Version")]
    except (KeyError, ValueError) as error:
        raise ElementTree.ParseError("a row of the listing lacks a key or a size") from error
    return Page(rows, _rest(said, is_encoded) if said.get("IsTruncated") == "true" else None)


def _row(element: ElementTree.Element, is_encoded: bool) -> Row:
    said = {_name(child): child.text or "" for child in element}
    key = unquote_plus(said["Key"]) if is_encoded else said["Key"]
    return Row(key, said.get("ETag"), int(said["Size"]), said.get("VersionId"), said.get("IsLatest", "true") == "true")


def _rest(said: dict[str, str], is_encoded: bool) -> dict[str, str]:
    if token := said.get("NextContinuationToken"):
        return {"continuation-token": token}
    key = said.get("NextKeyMarker")
    if not key:
        raise ElementTree.ParseError("the listing goes on, and does not say where")
    marker = unquote_plus(key) if is_encoded else key
    return {"key-marker": marker, "version-id-marker": said.get("NextVersionIdMarker", "")}


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
