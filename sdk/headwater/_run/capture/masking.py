"""Takes secrets out of texts that go to the log, which is for ever.

What is taken for a secret: what precedes the host in a URL; what follows a name such as token, password or key; and
what looks like a credential that some service issues. In doubt a value is masked: a mask too many loses a value, and
one too few a secret.
"""

import re
from collections.abc import Sequence

MASK = "***"
TEXT_LENGTH_MAX = 4_000  # characters of one text; the rest is dropped

_SECRET_WORDS = frozenset(
    (
        *("password", "passwords", "passwd", "passphrase", "passcode", "pwd", "pass", "pw"),
        *("token", "tokens", "secret", "secrets", "key", "keys", "apikey", "apikeys"),
        *("credential", "credentials", "creds", "auth", "authorization", "bearer", "cookie", "sig", "signature"),
    )
)
# Also where they are the end of a word: "dbpassword".
_SECRET_ENDS = ("password", "passwd", "passphrase", "token", "secret", "apikey", "accesskey", "secretkey", "privatekey")
# What a name ends with whose value says something about a secret, or about something else of that name: "key-dim".
_HARMLESS_ENDS = frozenset(
    ("dim", "dims", "size", "length", "len", "count", "num", "file", "path", "dir", "type", "ttl")
)
_SEVERAL = frozenset(("passwords", "tokens", "secrets", "keys", "apikeys", "credentials", "creds"))
_COUNTED = frozenset(("tokens", "keys"))  # "max-tokens 512" is a number of them

# Patterns are compiled where they are used first, in the background: a run should start soon.
_WORDS = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+"
_NUMBER = r"[-+]?[0-9][0-9_.,eE+-]*"
_OPTION = r"--?[^\s=:]+"
_BARE_NAME = r"[A-Za-z_\-]+"
_NAME = r"[A-Za-z0-9_.\-]+"
_SCHEME = r"[A-Za-z][A-Za-z0-9+.\-]{0,31}://"
# User and password as URLs have them, with the "@" and "/" that a careless one has in its password; a number after the
# colon is a port.
_USER_IN_URL = rf"({_SCHEME})(?:[^\s/?#'\"]*@|[^\s/:@'\"]*:(?![0-9]*(?:[/?#]|$))[^\s'\"]*@)"
_USER_AT_HOST = r"(?<![\w/@.\-])([\w.\-]+):[^\s/@:'\"]+@(?!sha256:)(?=[A-Za-z0-9])"
_IS = r"['\"]?\]?\s*(?:=|:(?!//))\s*"  # between a name and its value
_ALL_ASSIGNED = rf"(?P<before>\s*[-+]*['\"]?(?P<name>{_NAME}){_IS})(?P<value>(?s:.+))"
_ASSIGNED = (
    rf"(?<![A-Za-z0-9_.\-])(?P<name>{_NAME}){_IS}"
    r"(?P<value>(?:(?:Bearer|Basic|Token)\s+)?(?:\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?|[^\s&,;'\"(){}\[\]]+))"
)
_OPTION_IN_TEXT = rf"(?<!\S)--?(?P<name>{_NAME})\s+(?!--)(?P<value>\S+)"
_BEARER = r"\b(Bearer|Basic)\s+[A-Za-z0-9+/=._~\-]{8,}"
_ISSUED = (
    r"(?<![A-Za-z0-9])(?:gh[pousr]_|github_pat_|glpat-|hf_|hw_|sk-|sk_|[pr]k_live_|xox[abeoprs]-|npm_|[a-z]{4}-AgE|AIza|AKIA|ASIA"
    r"|eyJ[A-Za-z0-9_\-]{6,}\.)[A-Za-z0-9_.\-]{12,}"
)
_PRIVATE_KEY = r"(?s)-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,32}PRIVATE KEY-----|\Z)"


def masked(words: Sequence[str]) -> list[str]:
    """The words of a command line, or any texts, without their secrets.

    A word that is a secret's name hides the word after it; an option whose name is of several hides all up to the next
    option.
    """
    found: list[str] = []
    name = ""  # whose value, which is a secret, comes next
    for word in words:
        if name and word == "--":
            found.append(word)
        elif name and not word.startswith("--"):
            is_count = _is_count(name, word)
            found.append(word if is_count else MASK)
            if is_count or not (name.startswith("-") and _words(name)[-1] in _SEVERAL):
                name = ""
        else:
            name = word if re.fullmatch(f"{_OPTION}|{_BARE_NAME}", word) and _is_secret(word) else ""
            found.append(_masked_text(word))
    return found


def _masked_text(text: str) -> str:
    """Looks for a pattern only where its fixed characters are: compiling all takes longer than a run's start."""
    text = text[:TEXT_LENGTH_MAX]
    if "PRIVATE KEY-----" in text:
        text = re.sub(_PRIVATE_KEY, MASK, text)
    if "@" in text and ":" in text:
        text = re.sub(_USER_AT_HOST, rf"\1:{MASK}@", re.sub(_USER_IN_URL, r"\1", text))
    has_sign = "=" in text or ":" in text
    first = re.fullmatch(_ALL_ASSIGNED, text) if has_sign else None
    if first and _hides(first["name"], first["value"]):
        return first["before"] + MASK  # a password can have any character: all that follows is its value
    if has_sign:
        text = _mask_values(_ASSIGNED, text)
    if "-" in text and len(text.split()) > 1:
        text = _mask_values(_OPTION_IN_TEXT, text)
    if "Bearer" in text or "Basic" in text:
        text = re.sub(_BEARER, rf"\1 {MASK}", text)
    return re.sub(_ISSUED, MASK, text)


def _mask_values(pattern: str, text: str) -> str:
    """Mask what follows a secret's name; what follows another one can have such names in it."""
    named = re.compile(pattern)
    parts: list[str] = []
    start = at = 0
    while found := named.search(text, at):
        at = found.start("value")
        if _hides(found["name"], found["value"]):
            parts += [text[start:at], MASK]
            start = at = found.end("value")
    return "".join((*parts, text[start:]))


def _hides(name: str, value: str) -> bool:
    return _is_secret(name) and not _is_count(name, value)


def _is_secret(name: str) -> bool:
    words = _words(name)
    if not words or words[-1] in _HARMLESS_ENDS:
        return False
    return any(word in _SECRET_WORDS or word.endswith(_SECRET_ENDS) for word in words)


def _is_count(name: str, value: str) -> bool:
    return _words(name)[-1] in _COUNTED and re.fullmatch(_NUMBER, value) is not None


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(_WORDS, name)]
