"""What became of what was written, as a server tells it."""

from functools import cache

from headwater_consumer.queries.results import Answers
from headwater_schemas.json_codecs import Codec
from headwater_schemas.typed_json import codec_of


@cache
def answers_codec() -> Codec[Answers]:
    """How it is written as JSON, and read."""
    return codec_of(Answers)
