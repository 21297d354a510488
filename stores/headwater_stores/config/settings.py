"""Settings: from the environment, else from one settings file, else a default.

They are read anew each time, never kept: what a notebook changes counts from its next `init`. An empty variable is as
good as none. A relative path in the environment starts at the current folder, one in the file at the file's folder.
"""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from headwater_schemas.errors import InvalidFile, InvalidName, InvalidSettings
from headwater_schemas.limits import NAME_LENGTH_MAX
from headwater_schemas.names import check_name

from headwater_stores.config.local_paths import NO_HOME, absolute, with_home
from headwater_stores.config.logins import login_file
from headwater_stores.config.profile import Profile, read_profile
from headwater_stores.config.server_address import ServerAddress, check_token, server_url
from headwater_stores.config.user_folders import user_folder

SETTINGS_BYTES_MAX = 1024 * 1024  # far more than all settings take; a larger file is something else

CAPTURE_ALL, CAPTURE_GIT, CAPTURE_OFF = CAPTURES = ("all", "git", "off")

OUTAGE_S = 30.0  # a restart or a failover takes less
WAIT_S = 120.0
SECONDS_MAX = 7 * 24 * 3600.0  # of either

_FOLDER, _PROFILE, _SERVERS = "file://", "profile:", ("http://", "https://")
_PROFILES = "profiles"  # the table of the settings file that holds them
_DEFAULT_PROJECT = "uncategorized"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")  # two letters at least: one is a drive
_HOST_AND_PORT = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*:[0-9]{1,5}")
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
_LOGIN_VARIABLES = ("LOGNAME", "USER", "LNAME", "USERNAME")  # in the order of the standard library's getpass
_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


class SettingSpec(NamedTuple):
    """One setting: its names, default and meaning."""

    name: str
    variable: str
    file_key: str  # "" if it cannot be in the file
    default: str
    meaning: str


_TABLE = (
    SettingSpec(
        "url",
        "HEADWATER_URL",
        "url",
        "file://<user data folder>/headwater/store",
        "the store: https://host for a headwater server; a folder, as a path or file:// URL; or profile:NAME for "
        "Kafka, PostgreSQL and S3",
    ),
    SettingSpec("token", "HEADWATER_TOKEN", "", "none", "token for the headwater server that the URL names"),
    SettingSpec(
        "token_file",
        "HEADWATER_TOKEN_FILE",
        "token_file",
        "none",
        "file with that token instead; read again when it changes",
    ),
    SettingSpec(
        "ca_file",
        "HEADWATER_CA_FILE",
        "ca_file",
        "the machine's",
        "file with the CA certificates by which a headwater server is trusted",
    ),
    SettingSpec("entity", "HEADWATER_ENTITY", "entity", "your login name", "person or team that owns new runs"),
    SettingSpec("project", "HEADWATER_PROJECT", "project", _DEFAULT_PROJECT, "project of new runs"),
    SettingSpec(
        "cache_dir",
        "HEADWATER_CACHE_DIR",
        "cache_dir",
        "<user cache folder>/headwater",
        "caches that can be deleted at any time: stat cache, ETag cache",
    ),
    SettingSpec("quiet", "HEADWATER_QUIET", "quiet", "false", "true: print no progress and no summaries"),
    SettingSpec(
        "capture",
        "HEADWATER_CAPTURE",
        "capture",
        "all",
        "what runs record about what they execute: all; git, for commit, remote and branch alone; or off",
    ),
    SettingSpec(
        "outage_seconds",
        "HEADWATER_OUTAGE_SECONDS",
        "outage_seconds",
        f"{OUTAGE_S:g}",
        "how long a server may be away before that is an error, when a store is opened and later",
    ),
    SettingSpec(
        "wait_seconds",
        "HEADWATER_WAIT_SECONDS",
        "wait_seconds",
        f"{WAIT_S:g}",
        "how long to wait for the log to confirm, and for the projection to have, what was written",
    ),
    SettingSpec(
        "settings file",
        "HEADWATER_SETTINGS",
        "",
        "<user config folder>/headwater/settings.toml",
        "TOML file with any of the keys above; environment variables take precedence. Must exist if it is named",
    ),
)
_ROWS = {row.name: row for row in _TABLE}
_FILE_KEYS = tuple(row.file_key for row in _TABLE if row.file_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, checked."""

    url: str  # file:///absolute/path, percent-encoded; https://host[:port][/base]; or profile:NAME
    entity: str
    project: str
    cache_dir: Path  # absolute
    quiet: bool  # no progress and no summaries
    capture: str = CAPTURE_ALL  # one of CAPTURES
    outage_s: float = OUTAGE_S  # how long a server may be away
    wait_s: float = WAIT_S  # how long to wait for what was written to be confirmed and projected
    profile: Profile | None = None  # where `url` names one
    server: ServerAddress | None = None  # where `url` names one

    @property
    def place(self) -> str:
        """What `url` leads to, in every detail: two settings with one place mean the same store. Has secrets."""
        if self.server is not None:
            return self.server.place
        return self.url if self.profile is None else f"{self.url} {sorted(self.profile.values.items())}"

    @property
    def is_folder(self) -> bool:
        """Whether `url` names a folder, which this process opens itself."""
        return self.profile is None and self.server is None

    @property
    def store(self) -> Path:
        """The folder that `url` names. Raises: InvalidSettings where it names a server, for what works on files."""
        if self.server is not None:
            raise InvalidSettings(
                f"HEADWATER_URL names a server ({self.url}), which this cannot be done through. Do it where that "
                "server runs, with HEADWATER_URL set to the store behind it."
            )
        folder = store_folder(self.url)
        assert folder is not None, "a profile has no folder"
        return folder


class _SourcedValue(NamedTuple):
    """A value and its source, which messages name."""

    value: object
    source: str  # "HEADWATER_URL", or "url in /home/…/settings.toml"
    folder: str  # where relative paths start; "" is the current folder


def read_settings(environ: Mapping[str, str] | None = None, *, url: str | os.PathLike[str] | None = None) -> Settings:
    """The settings as they are now. `environ` stands in for the process's environment, `url` for the one that is set.

    Raises: InvalidSettings naming the variable, or the file and its key, and what to write there.
    """
    given = os.environ if environ is None else environ
    found, profiles, file = _collect(given)
    if url is not None:
        found["url"] = _SourcedValue(os.fspath(url) if isinstance(url, os.PathLike) else url, "url", "")
    url = _url(found["url"]) if "url" in found else _url_of(os.path.join(_default_folder("data", "url"), "store"))
    profile = url.removeprefix(_PROFILE) if url.startswith(_PROFILE) else None
    return Settings(
        url=url,
        entity=_name(found["entity"], "entity") if "entity" in found else _login_name(given),
        project=_name(found["project"], "project") if "project" in found else _DEFAULT_PROJECT,
        cache_dir=Path(_folder(found["cache_dir"]) if "cache_dir" in found else _default_folder("cache", "cache_dir")),
        quiet=_quiet(found["quiet"]) if "quiet" in found else False,
        capture=_capture(found["capture"]) if "capture" in found else CAPTURE_ALL,
        outage_s=_seconds(found["outage_seconds"]) if "outage_seconds" in found else OUTAGE_S,
        wait_s=_seconds(found["wait_seconds"]) if "wait_seconds" in found else WAIT_S,
        profile=None if profile is None else read_profile(profile, profiles.get(profile, {}), given, file),
        server=_server(url, found) if url.startswith(_SERVERS) else None,
    )


def store_folder(url: str) -> Path | None:
    """The folder that a store's URL names; None where it names servers."""
    if not url.startswith(_FOLDER):
        return None
    return Path(os.fsdecode(unquote_to_bytes(url.removeprefix(_FOLDER))))


def all_settings() -> tuple[SettingSpec, ...]:
    """Every setting."""
    return _TABLE


def redact(url: str) -> str:
    """`url` without what may be a secret in it: query and fragment, and all but the scheme where there is an `@`."""
    scheme, _, rest = url.partition(":")
    if "@" in rest:
        return f"{scheme}://…" if rest.startswith("//") else "…"
    return re.split("[?#]", url)[0]


_Profiles = Mapping[str, Mapping[str, object]]


def _collect(environ: Mapping[str, str]) -> tuple[dict[str, _SourcedValue], _Profiles, str]:
    """What was set, by name, the environment's over the file's; the file's profiles; and which file."""
    file, is_named = _settings_file(environ)
    found, profiles = ({}, {}) if file is None else _read_file(file, is_named=is_named)
    for name in (*_FILE_KEYS, "token"):
        variable = _ROWS[name].variable
        if text := environ.get(variable):
            found[name] = _SourcedValue(text, variable, "")
    return found, profiles, file or "the settings file"


def _settings_file(environ: Mapping[str, str]) -> tuple[str | None, bool]:
    """The absolute path of the settings file, and whether HEADWATER_SETTINGS names it; None where there can be none."""
    variable = _ROWS["settings file"].variable
    if named := environ.get(variable):
        return _folder(_SourcedValue(named, variable, "")), True
    folder = user_folder("config")
    return (None if folder is None else os.path.join(folder, "settings.toml")), False


def _read_file(path: str, *, is_named: bool) -> tuple[dict[str, _SourcedValue], _Profiles]:
    """The values and profiles in the settings file; none if it does not exist, unless somebody named it."""
    try:
        with open(path, "rb") as file:
            content = file.read(SETTINGS_BYTES_MAX + 1)
    except (FileNotFoundError, NotADirectoryError):
        if not is_named:
            return {}, {}
        raise InvalidSettings(
            f"HEADWATER_SETTINGS names {path!r}, which does not exist. Correct or unset it; no other settings file is "
            "read instead."
        ) from None
    except OSError as error:
        raise InvalidSettings(
            f"the settings file {path!r} cannot be read: {error.strerror}. Make it readable, or set "
            "HEADWATER_SETTINGS to another file."
        ) from error
    if len(content) > SETTINGS_BYTES_MAX:
        raise InvalidSettings(
            f"the settings file {path!r} is larger than {SETTINGS_BYTES_MAX:,} bytes. Set HEADWATER_SETTINGS to a "
            "settings file."
        )
    table = _parse(content, path)
    profiles = table.pop(_PROFILES, {})
    if not isinstance(profiles, dict) or not all(isinstance(said, dict) for said in profiles.values()):
        raise InvalidSettings(
            f"{_PROFILES!r} in {path!r} must be a table of tables. Write [profiles.NAME] above the keys of a profile."
        )
    unknown = next((key for key in table if key not in _FILE_KEYS), None)
    if unknown is not None:
        raise InvalidSettings(f"{unknown!r} in {path!r} is not a setting. Known keys: {', '.join(_FILE_KEYS)}.")
    folder = os.path.dirname(path)
    return {key: _SourcedValue(value, f"{key} in {path!r}", folder) for key, value in table.items()}, profiles


def _parse(content: bytes, path: str) -> dict[str, object]:
    import tomllib

    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidSettings(f"the settings file {path!r}, line {line}, is not UTF-8. Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettings(
            f'the settings file {path!r} is not TOML: {error}. Write lines such as: project = "vision"'
        ) from None


def _text(given: _SourcedValue) -> str:
    if not isinstance(given.value, str) or not given.value:
        found = "empty" if given.value == "" else type(given.value).__name__
        raise InvalidSettings(f"{given.source} must be a string in quotes, not {found}.")
    return given.value


def _name(given: _SourcedValue, kind: str) -> str:
    try:
        return check_name(_text(given), kind)
    except InvalidName as error:
        raise InvalidSettings(f"{given.source}: {error}") from None


def _quiet(given: _SourcedValue) -> bool:
    if isinstance(given.value, bool):
        return given.value
    switch = _SWITCH.get(given.value.lower()) if isinstance(given.value, str) else None
    if switch is None:
        raise InvalidSettings(f"{given.source} is {given.value!r}. Write true or false.")
    return switch


def _capture(given: _SourcedValue) -> str:
    text = _text(given)
    if text not in CAPTURES:
        raise InvalidSettings(f"{given.source} is {text!r}. Write {', '.join(CAPTURES[:-1])} or {CAPTURES[-1]}.")
    return text


def _seconds(given: _SourcedValue) -> float:
    value = given.value
    try:
        seconds = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds <= SECONDS_MAX:
        raise InvalidSettings(f"{given.source} is {value!r}. Write a number of seconds, at most {SECONDS_MAX:,.0f}.")
    return seconds


def _folder(given: _SourcedValue) -> str:
    text = _text(given)
    if "\x00" in text:
        raise InvalidSettings(f"{given.source} contains a zero byte. Write a path without.")
    try:
        return absolute(os.path.join(given.folder, with_home(text)))
    except InvalidFile as error:
        raise InvalidSettings(f"{given.source}: {error}") from None


def _server(url: str, found: Mapping[str, _SourcedValue]) -> ServerAddress:
    """The server at `url`. A token is not taken from the settings file, which others may read.

    Where none is set, that of `headwater login` counts.
    """
    token, files = found.get("token"), {key: _folder(found[key]) for key in ("token_file", "ca_file") if key in found}
    if token is not None and files.pop("token_file", None) is not None:
        variable = _ROWS["token_file"].variable
        if found["token_file"].source == variable:
            raise InvalidSettings(f"{token.source} and {variable} are both set. Unset one of them.")
    checked = None if token is None else check_token(_text(token), token.source)
    token_file = files.get("token_file") or (login_file(url) if checked is None else None)
    return ServerAddress(url=url, token=checked, token_file=token_file, ca_file=files.get("ca_file"))


def _url(given: _SourcedValue) -> str:
    """A store's URL in its canonical form."""
    text = _text(given)
    scheme = _SCHEME.match(text)
    if _HOST_AND_PORT.fullmatch(text):
        raise InvalidSettings(
            f"{given.source}: {redact(text)!r} is a host and a port. Write http://{redact(text)} for the server there, "
            f"or ./{redact(text)} for a folder of that name."
        )
    if scheme is None:
        path = _folder(given)
    elif scheme[1].lower() == "file":
        path = _path_in_url(text, given)
    elif f"{scheme[1].lower()}://" in _SERVERS:
        return server_url(text, given.source)
    elif text.startswith(_PROFILE):
        return _PROFILE + _name(_SourcedValue(text.removeprefix(_PROFILE), given.source, ""), "profile")
    else:
        raise InvalidSettings(
            f"{given.source}: {redact(text)!r} is not a supported kind of store. Write file:///absolute/path, "
            "https://host, profile:NAME, or a folder path (starting with './' if its name contains a colon)."
        )
    if path == os.path.sep:
        raise InvalidSettings(f"{given.source} names the root of the file system. Name a folder for the store.")
    return _url_of(path)


def _path_in_url(text: str, given: _SourcedValue) -> str:
    rest = text.partition(":")[2]
    authority, path = "", rest
    if rest.startswith("//"):
        authority, slash, path = rest[2:].partition("/")
        path = slash + path
    plain = redact(text)
    if authority not in ("", "localhost") or not path.startswith("/"):
        raise InvalidSettings(
            f"{given.source}: {plain!r} is not an absolute path. Write three slashes, as in file:///data/store, or a "
            "folder path, as in ./store."
        )
    if "?" in path or "#" in path:
        raise InvalidSettings(
            f"{given.source}: {plain!r} is followed by '?' or '#'. Write them as %3F and %23 if they are part of the "
            "path."
        )
    decoded = unquote_to_bytes(path)
    if b"\x00" in decoded:
        raise InvalidSettings(f"{given.source}: {plain!r} contains a zero byte. Remove the %00.")
    return os.path.normpath("/" + os.fsdecode(decoded).lstrip("/"))


def _url_of(path: str) -> str:
    return _FOLDER + quote_from_bytes(os.fsencode(path))


def _login_name(environ: Mapping[str, str]) -> str:
    """The login name, with characters that names must not contain replaced."""
    login = next((environ[variable] for variable in _LOGIN_VARIABLES if environ.get(variable)), None) or _account_name()
    name = _NOT_IN_NAME.sub("-", login).strip("-")[:NAME_LENGTH_MAX]
    return name if name.strip(".") else "user"


def _account_name() -> str:
    return _name_of_account(os.getuid()) if hasattr(os, "getuid") else "user"


@cache
def _name_of_account(uid: int) -> str:
    """Reads a file, or asks a server."""
    try:
        import pwd
    except ImportError:  # not POSIX
        return "user"
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container that runs under a number without an account
        return f"uid-{uid}"


def _default_folder(kind: str, setting: str) -> str:
    """Where the setting's default is. Raises: InvalidSettings where the user has no home folder."""
    folder = user_folder(kind)
    if folder is None:
        row = _ROWS[setting]
        raise InvalidSettings(
            f"{row.variable} is not set, and its default is in the home folder, which is not known: {NO_HOME}. Set "
            f"{row.variable}, or HOME."
        )
    return folder
