"""Receipts: what a server says about content that it stored, to be given back with the events that name it.

Opaque to clients, and signed: any server with the key believes it. It holds for one project, as the content does.
"""

import hmac
import json
from array import array
from collections.abc import Mapping
from hashlib import sha256
from itertools import accumulate

from headwater_schemas import digests, frames
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import InvalidInput
from headwater_stores.server_key import ServerKey

from headwater_server.submitting.places import Place

FORMAT = 1
_PURPOSE = "receipts/1"
_MAC_BYTES = 32
_FRAMES = 3


class Receipts:
    """Makes and reads the receipts of servers with one key."""

    def __init__(self, key: ServerKey) -> None:
        self._key = key.derived(_PURPOSE)

    def of(self, project: str, places: Mapping[bytes, BlobLocation]) -> bytes:
        """The receipt for contents of one object, by digest; they lie in it one after the other."""
        (name,) = {place.object_name for place in places.values()}
        (algorithm,) = {digests.algorithm_of(digest) for digest in places}
        first = next(iter(places.values())).offset
        head = {"format": FORMAT, "project": project, "object": name, "algorithm": algorithm, "at": first}
        sizes = array("Q", [place.size for place in places.values()])
        raw = b"".join([digest[1:] for digest in places])
        body = b"".join(frames.packed([json.dumps(head).encode(), raw, sizes.tobytes()]))
        return hmac.new(self._key, body, sha256).digest() + body

    def read(self, receipt: bytes) -> dict[Place, BlobLocation]:
        """What it says. Raises: InvalidInput for what no server with this key made."""
        signature, body = receipt[:_MAC_BYTES], receipt[_MAC_BYTES:]
        if not hmac.compare_digest(hmac.new(self._key, body, sha256).digest(), signature):
            raise InvalidInput("a receipt for content is not of this server. Upload the content again.")
        head_text, raw, sizes_text = map(bytes, frames.unpacked(body, frames_max=_FRAMES))
        head = json.loads(head_text)
        project, name, algorithm = head["project"], head["object"], head["algorithm"]
        width, code = digests.DIGEST_BYTES[algorithm], digests.pack(algorithm, b"")
        sizes = array("Q")
        sizes.frombytes(sizes_text)
        offsets = accumulate(sizes[:-1], initial=head["at"])
        return {
            (project, code + raw[i * width : (i + 1) * width]): BlobLocation(name, at, size)
            for i, (at, size) in enumerate(zip(offsets, sizes, strict=True))
        }
