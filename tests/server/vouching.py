"""An issuer of JWTs for tests: its keys, its JWKS, and what it signs."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

AUDIENCE = "https://headwater.example.com"
LIFE_S = 600


def new_keys() -> dict[str, Any]:
    """A private key for each kind of algorithm."""
    return {
        "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }


@dataclass
class TestIssuer:
    """Signs for its subjects."""

    __test__ = False  # not one of pytest's

    issuer: str
    keys: dict[str, Any] = field(default_factory=new_keys)

    def jwks(self) -> bytes:
        """Its public keys, each called as its algorithm."""
        listed = []
        for algorithm, key in self.keys.items():
            jwk = json.loads(get_default_algorithms()[algorithm].to_jwk(key.public_key()))
            listed.append({**jwk, "kid": algorithm, "use": "sig"})
        return json.dumps({"keys": listed}).encode()

    def public_pem(self, algorithm: str) -> bytes:
        """A public key as anybody can have it."""
        public = self.keys[algorithm].public_key()
        found: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return found

    def claims(self, **other: Any) -> dict[str, Any]:
        """What it says of "sam", now; a claim that is None is left out."""
        now_s = int(time.time())
        usual = {"iss": self.issuer, "sub": "sam", "aud": AUDIENCE, "iat": now_s, "exp": now_s + LIFE_S}
        return {name: value for name, value in {**usual, **other}.items() if value is not None}

    def signed(self, algorithm: str = "RS256", *, kid: str | None = "", key: Any = None, **claims: Any) -> str:
        """A JWT. `kid` is that of the key, unless given; None leaves it out."""
        kid = algorithm if kid == "" else kid
        headers = {} if kid is None else {"kid": kid}
        return jwt.encode(self.claims(**claims), key or self.keys[algorithm], algorithm, headers=headers)


def forged(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None = None) -> str:
    """A JWT by hand, as no library makes it: signed with HMAC by a secret, or not at all."""
    signing = f"{_part(json.dumps(header).encode())}.{_part(json.dumps(claims).encode())}"
    signature = b"" if secret is None else hmac.digest(secret, signing.encode(), hashlib.sha256)
    return f"{signing}.{_part(signature)}"


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def trusting(folder: Path, issuer: TestIssuer, roles: str = "") -> tuple[str, str]:
    """The option by which a server trusts an issuer, called "ci", with its keys in a file. `roles`: further TOML."""
    keys, issuers = folder / "keys.json", folder / "issuers.toml"
    keys.write_bytes(issuer.jwks())
    issuers.write_text(
        f"""
        [[issuers]]
        name = "ci"
        issuer = "{issuer.issuer}"
        audience = "{AUDIENCE}"
        jwks_file = "{keys}"
        {roles}
        """
    )
    return "--issuers", str(issuers)
