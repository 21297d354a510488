"""Answers to listings, as servers other than the tests' own may give them."""

from xml.etree.ElementTree import ParseError

import pytest
from headwater._references.s3_pages import ListedObject, ListingPage, page_query, parse_page
from headwater._references.schemes import look_up
from headwater.errors import StoreUnavailable

from tests.s3.stand_ins import answering

_NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def page(inside: str, name: str = "ListBucketResult", namespace: str = _NAMESPACE) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><{name} {namespace}>{inside}</{name}>'.encode()


@pytest.mark.parametrize("namespace", [_NAMESPACE, ""])
def test_a_page_is_read_with_and_without_a_namespace(namespace: str) -> None:
    row = "<Contents><Key>a+b/c</Key><ETag>&quot;1&quot;</ETag><Size>5</Size></Contents>"

    assert parse_page(page(row, namespace=namespace)) == ListingPage(
        [ListedObject("a+b/c", '"1"', 5, None, True)], None
    )


def test_keys_are_decoded_only_where_the_page_says_that_they_are_encoded() -> None:
    row = "<Contents><Key>a+b%2Bc%0A</Key><Size>0</Size></Contents>"

    assert parse_page(page(f"<EncodingType>url</EncodingType>{row}")).objects[0].key == "a b+c\n"
    assert parse_page(page(row)).objects[0].key == "a+b%2Bc%0A"


def test_the_next_page_is_asked_for_as_the_last_one_says() -> None:
    more = "<IsTruncated>true</IsTruncated>"
    versions = f"{more}<EncodingType>url</EncodingType><NextKeyMarker>a+b</NextKeyMarker>"

    plain = parse_page(page(f"{more}<NextContinuationToken>t+1</NextContinuationToken>"))
    versioned = parse_page(page(f"{versions}<NextVersionIdMarker>v</NextVersionIdMarker>", "ListVersionsResult"))

    assert plain.next_query == {"continuation-token": "t+1"}
    assert versioned.next_query == {"key-marker": "a b", "version-id-marker": "v"}
    assert page_query("p/", versioned.next_query, versions=True)["key-marker"] == "a b"


@pytest.mark.parametrize(
    "inside",
    [
        "<Contents><Size>1</Size></Contents>",
        "<Contents><Key>a</Key></Contents>",
        "<Contents><Key>a</Key><Size>many</Size></Contents>",
        "<IsTruncated>true</IsTruncated>",
    ],
)
def test_a_page_that_lacks_something_is_an_error(inside: str) -> None:
    with pytest.raises(ParseError):
        parse_page(page(inside))


def test_a_server_that_does_not_list_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = "<IsTruncated>true</IsTruncated><NextContinuationToken>1</NextContinuationToken>"
    for body, problem in (
        (page(endless).decode(), "keeps returning the same page of a listing"),
        ("<html><p>Welcome", "the response was not one of S3"),
    ):
        with answering(200, body, lambda _: None) as endpoint:
            monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
            monkeypatch.setenv("AWS_REGION", "us-east-1")
            with pytest.raises(StoreUnavailable, match=problem):
                look_up("s3://bucket/images/")
