"""What the environment says about S3: endpoint, region and keys, as the tools of AWS read it.

Variables go before files. The files are those of `AWS_PROFILE`: keys in the credentials file, or else in the config
file, which has endpoint and region too. Secrets are in no `repr` and no message.
"""

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from headwater_schemas.errors import InvalidSettings

AWS_ENDPOINT = "https://s3.amazonaws.com"

_ROLE_VARIABLES = (
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
# Ways to keys that take a program or a dialogue to follow.
_ELSEWHERE = ("credential_process", "sso_session", "sso_start_url", "role_arn", "web_identity_token_file")
_TRUE = ("1", "true", "yes")


@dataclass(frozen=True, slots=True)
class Keys:
    """Of an account, or of a session that ends."""

    access: str = field(repr=False)
    secret: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """Where S3 is, and who asks. Equal accounts can share connections."""

    endpoint: str
    region: str | None  # None: the bucket is asked
    keys: Keys | None  # None: those of a role, or nobody's
    role: tuple[str, ...]  # where the environment says that a role's keys are; empty where it does not
    may_have_role: bool  # whether it is worth asking this machine for some
    authorities: str | None  # a file of certificates, where it is not the usual one
    process: int  # connections are of one process


def account(environment: Mapping[str, str] = os.environ) -> Account:
    """As the environment says now. Raises: InvalidSettings for a profile that is not there or cannot be used."""
    profile = _profile(environment)
    endpoint = _endpoint(environment, profile)
    keys = _keys_in_environment(environment) or _keys_of(profile)
    role = tuple(f"{name}={value}" for name in _ROLE_VARIABLES if (value := environment.get(name)))
    if keys is None and not role and (ways := [way for way in _ELSEWHERE if way in profile]):
        raise InvalidSettings(
            f"the AWS profile {_profile_name(environment)!r} gets its keys by {ways[0]}, which is not done here. Set "
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN: `aws configure export-credentials "
            "--format env` prints them."
        )
    # Anybody's S3 has machines with roles nowhere near it; there, asking only takes time.
    may_have_role = bool(role) or (endpoint == AWS_ENDPOINT and not _is_true(environment, "AWS_EC2_METADATA_DISABLED"))
    return Account(
        endpoint=endpoint,
        region=_first(environment, "AWS_REGION", "AWS_DEFAULT_REGION") or profile.get("region"),
        keys=keys,
        role=role,
        may_have_role=keys is None and may_have_role,
        authorities=environment.get("AWS_CA_BUNDLE") or profile.get("ca_bundle"),
        process=os.getpid(),
    )


def _endpoint(environment: Mapping[str, str], profile: Mapping[str, str]) -> str:
    if _is_true(environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        return AWS_ENDPOINT
    named = _first(environment, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    named = named or _service_endpoint(environment, profile) or profile.get("endpoint_url")
    return named.rstrip("/") if named else AWS_ENDPOINT


def _service_endpoint(environment: Mapping[str, str], profile: Mapping[str, str]) -> str | None:
    """What the section that `services` of a profile names says of S3, in indented lines of its own."""
    if not (name := profile.get("services")):
        return None
    section = _section(_config_file(environment), f"services {name}") or {}
    said = (line.partition("=") for line in section.get("s3", "").splitlines())
    return {key.strip(): value.strip() for key, _, value in said}.get("endpoint_url")


def _keys_in_environment(environment: Mapping[str, str]) -> Keys | None:
    access, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not access and not secret:
        return None
    if not access or not secret:
        raise InvalidSettings("only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set. Set both, or neither.")
    return _checked(Keys(access, secret, environment.get("AWS_SESSION_TOKEN") or None))


def _keys_of(profile: Mapping[str, str]) -> Keys | None:
    access, secret = profile.get("aws_access_key_id"), profile.get("aws_secret_access_key")
    return _checked(Keys(access, secret, profile.get("aws_session_token"))) if access and secret else None


def _checked(keys: Keys) -> Keys:
    """Raises: InvalidSettings for what no request can carry, and no server gives out."""
    for what, value in (("access key", keys.access), ("secret key", keys.secret), ("token", keys.session_token)):
        if value and not (value.isascii() and value.isprintable() and " " not in value):
            raise InvalidSettings(
                f"the {what} for S3 has a space, a line break or another character that none has. Correct it in the "
                "environment, or in the profile."
            )
    return keys


def _profile(environment: Mapping[str, str]) -> dict[str, str]:
    """What both files say of the profile; the credentials file goes before the config file."""
    name = _profile_name(environment)
    credentials = environment.get("AWS_SHARED_CREDENTIALS_FILE") or _in_home(environment, "credentials")
    config = _config_file(environment)
    in_config = _section(config, name if name == "default" else f"profile {name}")
    in_credentials = _section(credentials, name)
    if in_config is None and in_credentials is None and _first(environment, "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        raise InvalidSettings(
            f"there is no AWS profile {name!r} in {credentials} or {config}. Correct AWS_PROFILE, or unset it."
        )
    return {**(in_config or {}), **(in_credentials or {})}


def _config_file(environment: Mapping[str, str]) -> str:
    return environment.get("AWS_CONFIG_FILE") or _in_home(environment, "config")


def _in_home(environment: Mapping[str, str], name: str) -> str:
    return os.path.join(environment.get("HOME") or os.path.expanduser("~"), ".aws", name)


def _section(file: str, name: str) -> dict[str, str] | None:
    parser = configparser.RawConfigParser(default_section="", strict=False)  # `[default]` is a section like others
    try:
        parser.read(os.path.expanduser(file), "utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(
            f"{file} cannot be read as a file of AWS profiles. Correct it, or move it away."
        ) from error
    return dict(parser.items(name)) if parser.has_section(name) else None


def _profile_name(environment: Mapping[str, str]) -> str:
    return _first(environment, "AWS_PROFILE", "AWS_DEFAULT_PROFILE") or "default"


def _first(environment: Mapping[str, str], *names: str) -> str | None:
    return next((value for name in names if (value := environment.get(name))), None)


def _is_true(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").lower() in _TRUE
