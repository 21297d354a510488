"""What a reference may record."""

from collections.abc import Callable

import pytest
from headwater_schemas.entries import Reference
from headwater_schemas.errors import InvalidInput
from headwater_schemas.limits import CHECKSUM_LENGTH_MAX, OBJECT_VERSION_LENGTH_MAX, URI_BYTES_MAX
from headwater_schemas.references import check_checksum, check_object_version, check_reference, check_uri


def test_a_reference_at_its_limits_is_taken() -> None:
    uri = "s3://" + "ü" * ((URI_BYTES_MAX - 5) // 2)
    longest = Reference("r", uri, "c" * CHECKSUM_LENGTH_MAX, 0, "v" * OBJECT_VERSION_LENGTH_MAX)

    assert check_reference(longest) is longest
    assert check_reference(Reference("r", "s3://b/r")) == Reference("r", "s3://b/r")


@pytest.mark.parametrize(
    ("check", "named"),
    [
        (lambda: check_uri("s3://" + "ü" * 4094), "a URI has 8,193 bytes, and at most 8,192 can be recorded"),
        (lambda: check_uri("s3://b/\x00"), r"a URI contains '\\x00': .* Percent-encode it"),
        (lambda: check_uri("s3://b/\ud800"), r"a URI contains '\\ud800'"),
        (lambda: check_uri(None), "a URI must be a string, not NoneType"),
        (lambda: check_checksum("x" * 2049), "a checksum has 2,049 characters, and at most 2,048"),
        (lambda: check_checksum("\n"), r"a checksum contains '\\n'"),
        (lambda: check_object_version("x" * 1025), "an object version has 1,025 characters, and at most 1,024"),
        (lambda: check_reference(Reference("r", "s3://b/r", size=-1)), "the reference 'r' has the size -1"),
        (lambda: check_reference(Reference("r", "s3://b/r", checksum="\x07")), "a checksum contains"),
        (lambda: check_reference(Reference("r", "s3://b/r", object_version="\x07")), "an object version contains"),
    ],
)
def test_what_is_wrong_with_a_reference_is_said_with_its_limit(check: Callable[[], object], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        check()


def test_an_error_about_a_uri_never_quotes_it() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_uri("https://user:secret@host/\n")

    assert "secret" not in str(refused.value)
