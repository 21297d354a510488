"""What names a file's bytes."""

from collections.abc import Callable

import pytest
from headwater_schemas import digests
from headwater_schemas.errors import InvalidInput
from hypothesis import given
from hypothesis import strategies as st

from tests.support import strategies

VECTORS = {
    ("xxh3", b""): "xxh3:99aa06d3014798d86001c324468d497f",
    ("xxh3", b"abc"): "xxh3:06b05ab6733a618578af5f94892f3950",
    ("blake3", b""): "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    ("blake3", b"abc"): "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
}
ALGORITHMS = st.sampled_from(sorted(digests.DIGEST_BYTES))


@pytest.mark.parametrize(("algorithm", "content", "text"), [(*key, text) for key, text in VECTORS.items()])
def test_known_content_has_its_known_digest(algorithm: str, content: bytes, text: str) -> None:
    hasher = digests.new_hasher(algorithm)
    for byte in content:
        hasher.update(bytes([byte]))

    assert digests.to_text(digests.pack(algorithm, hasher.digest())) == text
    assert digests.to_text(digests.pack(algorithm, digests.one_shot(algorithm)(content))) == text


@given(algorithm=ALGORITHMS, pieces=st.lists(st.binary(max_size=300)))
def test_piece_by_piece_is_the_same_as_at_once(algorithm: str, pieces: list[bytes]) -> None:
    hasher = digests.new_hasher(algorithm)
    for piece in pieces:
        hasher.update(memoryview(piece))

    assert hasher.digest() == digests.one_shot(algorithm)(b"".join(pieces))


@given(packed=ALGORITHMS.flatmap(strategies.packed_digests))
def test_text_and_stored_form_say_the_same(packed: bytes) -> None:
    text = digests.to_text(packed)

    assert text == f"{digests.algorithm_of(packed)}:{packed[1:].hex()}"


def test_the_stored_form_starts_with_the_algorithms_final_byte() -> None:
    assert digests.pack("xxh3", digests.one_shot("xxh3")(b""))[:2] == b"\x01\x99"
    assert digests.pack("blake3", digests.one_shot("blake3")(b""))[:2] == b"\x02\xaf"


@pytest.mark.parametrize("packed", [b"", b"\x01", b"\x01" + bytes(15), b"\x01" + bytes(32), b"\x03" + bytes(16)])
def test_bytes_that_are_no_stored_digest_are_refused(packed: bytes) -> None:
    with pytest.raises(InvalidInput, match="is not a stored digest"):
        digests.to_text(packed)


@pytest.mark.parametrize("ask", [digests.new_hasher, digests.one_shot, digests.check_algorithm])
def test_an_unknown_algorithm_is_refused_with_those_there_are(ask: Callable[[str], object]) -> None:
    with pytest.raises(InvalidInput, match=r"'sha256' is not a digest algorithm\. Use one of: xxh3, blake3"):
        ask("sha256")
