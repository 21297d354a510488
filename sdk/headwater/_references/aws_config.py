"""The AWS configuration: endpoint, region and keys for S3, from the same variables and files as AWS's own tools.

Variables take precedence over files. For the profile of `AWS_PROFILE` the keys are in the credentials file, or else in
the config file, which also has endpoint and region. Secrets are in no `repr` and no message.
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
# Sources of keys that need a program or a login dialogue.
_ELSEWHERE = ("credential_process", "sso_session", "sso_start_url", "role_arn", "web_identity_token_file")
_TRUE = ("1", "true", "yes")


@dataclass(frozen=True, slots=True)
class AccessKeys:
    """The keys of an account, or of a temporary session."""

    access: str = field(repr=False)
    secret: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """An S3 endpoint and the keys for it. Equal accounts can share connections."""

    endpoint: str
    region: str | None  # None: looked up for the bucket
    keys: AccessKeys | None  # None: those of a role, or anonymous
    role: tuple[str, ...]  # the variables that name a role's keys; empty if none is set
    may_have_role: bool  # whether to request keys of a role from this machine
    authorities: str | None  # a file of trusted certificates, if not the default one
    process: int  # connections do not cross a fork


def read_account(environment: Mapping[str, str] = os.environ) -> Account:
    """The account that is configured now. Raises: InvalidSettings for a profile that is missing or unusable."""
    profile = _profile(environment)
    endpoint = _endpoint(environment, profile)
    keys = _keys_in_environment(environment) or _keys_of(profile)
    role = tuple(f"{name}={value}" for name in _ROLE_VARIABLES if (value := environment.get(name)))
    if keys is None and not role and (ways := [way for way in _ELSEWHERE if way in profile]):
        raise InvalidSettings(
            f"the AWS profile {_profile_name(environment)!r} gets its keys from {ways[0]}, which is not supported. "
            "Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN: `aws configure export-credentials "
            "--format env` prints them."
        )
    # Other S3 servers are rarely near machines with roles; there the request would only time out.
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
    """The S3 endpoint in the section that the profile's `services` names, as indented lines."""
    if not (name := profile.get("services")):
        return None
    section = _section(_config_file(environment), f"services {name}") or {}
    pairs = (line.partition("=") for line in section.get("s3", "").splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}.get("endpoint_url")


def _keys_in_environment(environment: Mapping[str, str]) -> AccessKeys | None:
    access, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not access and not secret:
        return None
    if not access or not secret:
        raise InvalidSettings("only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set. Set both, or neither.")
    return _checked_keys(AccessKeys(access, secret, environment.get("AWS_SESSION_TOKEN") or None))


def _keys_of(profile: Mapping[str, str]) -> AccessKeys | None:
    access, secret = profile.get("aws_access_key_id"), profile.get("aws_secret_access_key")
    return _checked_keys(AccessKeys(access, secret, profile.get("aws_session_token"))) if access and secret else None


def _checked_keys(keys: AccessKeys) -> AccessKeys:
    """Raises: InvalidSettings for keys that no request can carry."""
    for what, value in (("access key", keys.access), ("secret key", keys.secret), ("token", keys.session_token)):
        if value and not (value.isascii() and value.isprintable() and " " not in value):
            raise InvalidSettings(
                f"the {what} for S3 contains a space, a line break or another invalid character. Correct it in the "
                "environment, or in the profile."
            )
    return keys


def _profile(environment: Mapping[str, str]) -> dict[str, str]:
    """The profile's values from both files; the credentials file takes precedence over the config file."""
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
    parser = configparser.RawConfigParser(default_section="", strict=False)  # `[default]` is an ordinary section
    try:
        parser.read(os.path.expanduser(file), "utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{file} is not a valid AWS configuration file. Correct or remove it.") from error
    return dict(parser.items(name)) if parser.has_section(name) else None


def _profile_name(environment: Mapping[str, str]) -> str:
    return _first(environment, "AWS_PROFILE", "AWS_DEFAULT_PROFILE") or "default"


def _first(environment: Mapping[str, str], *names: str) -> str | None:
    return next((value for name in names if (value := environment.get(name))), None)


def _is_true(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").lower() in _TRUE
