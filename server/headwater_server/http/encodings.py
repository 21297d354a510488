"""Which encodings of an answer a client can read."""


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a client with this header can: RFC 9110, 12.5.3; a coding of weight 0 is refused."""
    for one in accept_encoding.split(","):
        coding, _, weight = one.partition(";")
        if coding.strip().lower() == "gzip":
            return weight.strip().lower().removeprefix("q=").strip("0.") != "" if weight else True
    return False
