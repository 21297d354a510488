"""The issuers whose JWTs a server takes in place of tokens: configuration of the server alone, a file in TOML.

[[issuers]]
name = "github"                      # its principals are github|SUBJECT
issuer = "https://token.actions.githubusercontent.com"
audience = "https://headwater.example.com"
jwks_url = "https://token.actions.githubusercontent.com/.well-known/jwks"    # or jwks_file

[[issuers.roles]]                    # a role for whoever has these claims, besides what is granted
scope = "acme/vision"
role = "writer"
claims = { repository = "acme/vision", ref = ["refs/heads/main", "refs/heads/next"] }
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from headwater_schemas.access import ANYBODY, OWN_ISSUER, check_role, check_scope, issuer_of
from headwater_schemas.errors import InvalidInput, InvalidSettings
from headwater_schemas.names import check_name

# Signatures by which an issuer proves itself with a key that we know. Never `none`, and never a secret that is shared:
# then our copy of a public key could be passed off as one.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
ISSUERS_MAX = 100
FILE_BYTES_MAX = 1024 * 1024
_RESERVED = (OWN_ISSUER, issuer_of(ANYBODY))
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class ClaimedRole:
    """A role for whoever has these claims."""

    scope: str
    role: str
    claims: Mapping[str, Sequence[Any]]  # claim → the values of which it must have one; a claim that is a list has many

    def is_due_to(self, claims: Mapping[str, Any]) -> bool:
        """Whether a JWT with these claims has the role."""
        return all(_has(claims.get(name), wanted) for name, wanted in self.claims.items())


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who vouches for principals, and how that is checked."""

    name: str
    issuer: str  # the claim `iss`, exactly
    audience: str  # one of the claim `aud`, exactly
    jwks: str  # a URL, or the path of a file
    algorithms: tuple[str, ...] = ALGORITHMS
    subject_claim: str = "sub"
    roles: tuple[ClaimedRole, ...] = ()


def read_issuers(path: str) -> list[Issuer]:
    """The issuers that a file lists. Raises: InvalidSettings, which names the file and what is wrong in it."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise InvalidSettings(f"more than {FILE_BYTES_MAX:,} bytes")
        return _issuers(tomllib.loads(content.decode()))
    except (OSError, ValueError, TypeError) as error:  # of the file, of TOML, of names
        raise InvalidSettings(f"the issuers in {path} cannot be used: {error}. See docs/server.md.") from None


def _issuers(content: dict[str, Any]) -> list[Issuer]:
    listed = content.pop("issuers", [])
    _no_more(content, "the file")
    if len(listed) > ISSUERS_MAX:
        raise InvalidSettings(f"{len(listed)} issuers; at most {ISSUERS_MAX} are taken")
    issuers = [_issuer(one) for one in listed]
    for kind in ("name", "issuer"):
        values = [getattr(issuer, kind) for issuer in issuers]
        if len({*values}) < len(values):
            raise InvalidSettings(f"two issuers have the same {kind}")
    return issuers


def _issuer(table: dict[str, Any]) -> Issuer:
    name = check_name(table.pop("name", None), "issuer")
    if name in _RESERVED:
        raise InvalidSettings(f"{name} is not the name of another issuer")
    algorithms = tuple(table.pop("algorithms", ALGORITHMS))
    if not algorithms or not {*algorithms} <= {*ALGORITHMS}:
        raise InvalidSettings(f"the algorithms of {name} are not some of {', '.join(ALGORITHMS)}")
    issuer = Issuer(
        name=name,
        issuer=_text(table, "issuer", name),
        audience=_text(table, "audience", name),
        jwks=_jwks(table, name),
        algorithms=algorithms,
        subject_claim=_text(table, "subject_claim", name, "sub"),
        roles=tuple(_role(role, name) for role in table.pop("roles", ())),
    )
    _no_more(table, name)
    return issuer


def _jwks(table: dict[str, Any], name: str) -> str:
    if ("jwks_url" in table) == ("jwks_file" in table):
        raise InvalidSettings(f"{name} has not one of jwks_url and jwks_file")
    if "jwks_file" in table:
        return _text(table, "jwks_file", name)
    url = _text(table, "jwks_url", name)
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise InvalidSettings(f"the jwks_url of {name} is not https, so anybody on the way could change its keys")
    return url


def _role(table: dict[str, Any], name: str) -> ClaimedRole:
    wanted = table.pop("claims", None)
    if not isinstance(wanted, dict):
        raise InvalidSettings(f"a role of {name} has no table of claims")
    claims = {claim: values if isinstance(values, list) else [values] for claim, values in wanted.items()}
    role = ClaimedRole(check_scope(table.pop("scope", None)), check_role(table.pop("role", None)), claims)
    _no_more(table, f"a role of {name}")
    return role


def _text(table: dict[str, Any], key: str, name: str, default: str | None = None) -> str:
    value = table.pop(key, default)
    if not isinstance(value, str) or not value:
        raise InvalidSettings(f"{name} has no {key}")
    return value


def _no_more(table: dict[str, Any], of: str) -> None:
    if table:
        raise InvalidInput(f"{of} has {', '.join(map(repr, sorted(table)))}, which means nothing here")


def _has(value: Any, wanted: Sequence[Any]) -> bool:
    """Values of one type only: `1` is not `true`."""
    values = value if isinstance(value, list) else [value]
    return any(type(one) is type(other) and one == other for one in values for other in wanted)
