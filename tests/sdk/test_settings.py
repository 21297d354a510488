"""Where settings come from, and what is said about those that cannot work."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import platformdirs
import pytest
from headwater_schemas.errors import InvalidSettings
from headwater_schemas.limits import NAME_LENGTH_MAX
from headwater_schemas.names import check_name
from headwater_stores.config.profile import ProfileKey, profile_keys
from headwater_stores.config.settings import SETTINGS_BYTES_MAX, all_settings, read_settings, redact
from headwater_stores.server_settings import kafka_settings, s3_settings


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings file, empty."""
    path = tmp_path / "config" / "settings.toml"
    path.parent.mkdir()
    path.touch()
    monkeypatch.setenv("HEADWATER_SETTINGS", str(path))
    return path


def refusal(**environ: str) -> str:
    with pytest.raises(InvalidSettings) as refused:
        read_settings({**os.environ, **environ})
    return str(refused.value)


def test_without_any_setting_everything_is_under_the_users_own_folders(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.delenv("HEADWATER_CACHE_DIR")
    monkeypatch.delenv("HEADWATER_SETTINGS")

    settings = read_settings()

    assert settings.store.is_relative_to(tmp_path / "home")
    assert settings.store.parts[-2:] == ("headwater", "store")
    assert settings.cache_dir.is_relative_to(tmp_path / "home")
    assert (settings.entity, settings.project, settings.quiet) == ("ada", "uncategorized", False)


def test_the_environment_beats_the_file_and_the_file_beats_the_default(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('entity = "from-file"\nproject = "from-file"\n')
    monkeypatch.setenv("HEADWATER_PROJECT", "from-environment")

    settings = read_settings()

    assert (settings.entity, settings.project, settings.quiet) == ("from-file", "from-environment", False)


def test_settings_are_read_anew_each_time(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setenv("HEADWATER_PROJECT", "one")
    first = read_settings()
    monkeypatch.setenv("HEADWATER_PROJECT", "two")
    file.write_text("quiet = true")

    second = read_settings()

    assert (first.project, first.quiet) == ("one", False)
    assert (second.project, second.quiet) == ("two", True)


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_PROJECT", "")

    assert read_settings().project == "uncategorized"


@pytest.mark.parametrize(
    ("given", "store"),
    [
        ("file:///data/hw", "/data/hw"),
        ("file:/data/hw", "/data/hw"),
        ("file://localhost/data/hw/", "/data/hw"),
        ("FILE:///data/my%20store", "/data/my store"),
        ("file:///data/%C3%A9t%C3%A9", "/data/été"),
        ("/data/a b?c#d%20", "/data/a b?c#d%20"),
    ],
)
def test_a_store_is_named_by_a_file_url_or_by_a_path(given: str, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_URL", given)
    settings = read_settings()

    assert settings.store == Path(store)
    monkeypatch.setenv("HEADWATER_URL", settings.url)
    assert read_settings() == settings, "a URL reads back as itself"


def test_a_relative_path_in_the_environment_starts_at_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADWATER_URL", "./store")
    monkeypatch.setenv("HEADWATER_CACHE_DIR", "cache")

    settings = read_settings()

    assert (settings.store, settings.cache_dir) == (tmp_path / "store", tmp_path / "cache")


def test_a_relative_path_in_the_file_starts_at_the_files_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADWATER_CACHE_DIR")
    file.write_text('url = "../store"\ncache_dir = "cache"\n')

    settings = read_settings()

    assert (settings.store, settings.cache_dir) == (file.parent.parent / "store", file.parent / "cache")


def test_a_relative_path_in_a_folder_that_was_removed_is_refused(tmp_path: Path) -> None:
    program = (
        "import os; from headwater_stores.config.settings import read_settings, InvalidSettings\n"
        "os.mkdir('x'); os.chdir('x'); os.rmdir('../x')\n"
        "read_settings({'LOGNAME': 'a', 'HEADWATER_URL': '/data/x'})\n"
        "try: read_settings({'HEADWATER_URL': './store'})\n"
        "except InvalidSettings as error: print(error)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)

    assert "HEADWATER_URL" in done.stdout


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_URL", "~/store")

    assert read_settings().store == tmp_path / "home" / "store"


def test_a_settings_file_that_is_named_must_exist(tmp_path: Path) -> None:
    for missing in (tmp_path / "setings.toml", tmp_path / "file" / "settings.toml"):
        (tmp_path / "file").touch()

        message = refusal(HEADWATER_SETTINGS=str(missing))

        assert f"HEADWATER_SETTINGS names {str(missing)!r}, which does not exist" in message


def test_the_settings_file_may_be_named_from_the_home_folder(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "team.toml").write_text('project = "from-home"')

    assert read_settings({**os.environ, "HEADWATER_SETTINGS": "~/team.toml"}).project == "from-home"


@pytest.mark.parametrize("home", ["", "relative"])
def test_without_a_home_folder_what_is_not_set_is_named_and_what_is_set_is_enough(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", home)
    monkeypatch.delenv("HEADWATER_SETTINGS")
    monkeypatch.delenv("HEADWATER_CACHE_DIR")
    given = {"LOGNAME": "ada", "HEADWATER_URL": "/data/x", "HEADWATER_CACHE_DIR": "/data/cache"}

    assert read_settings(given).store == Path("/data/x")
    for variable in ("HEADWATER_URL", "HEADWATER_CACHE_DIR"):
        without = {name: value for name, value in given.items() if name != variable}
        assert f"{variable} is not set, and its default is in the home folder" in _refused(without)
        assert "names no home folder" in _refused({**given, variable: "~/x"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", ["file://store", "file://data/store", "file:store", "file://~/store", "file://"])
def test_a_file_url_without_an_absolute_path_is_refused_with_what_to_write(given: str) -> None:
    message = refusal(HEADWATER_URL=given)

    assert "HEADWATER_URL" in message
    assert "file:///data/store" in message
    assert "./store" in message


@pytest.mark.parametrize("given", ["s3://bucket/folder", "ftp://example.org", "kafka:"])
def test_an_unknown_kind_of_store_is_refused_with_the_known_ones(given: str) -> None:
    message = refusal(HEADWATER_URL=given)

    assert given in message
    assert "file:///" in message


@pytest.mark.parametrize("given", ["localhost:9092", "127.0.0.1:8470", "headwater.example.com:443"])
def test_a_host_and_a_port_are_no_folder(given: str) -> None:
    message = refusal(HEADWATER_URL=given)

    assert f"http://{given}" in message
    assert f"./{given}" in message


def test_the_root_of_the_file_system_is_no_store() -> None:
    assert "root of the file system" in refusal(HEADWATER_URL="file:///")


@pytest.mark.parametrize("given", ["file:///data/a?b=c", "file:///data/a#b", "file:///data/a%00b", "/data/\x00"])
def test_what_no_path_can_hold_is_refused(given: str) -> None:
    assert "HEADWATER_URL" in refusal(HEADWATER_URL=given)


@pytest.mark.parametrize(
    "url",
    [
        "s3://alice:hunter2@bucket/folder",
        "s3://alice:hun/ter2@x@bucket/folder?x=hunter2",
        "s3://alice:ter2?@bucket",
        "file://alice:hunter2@host/data",
        "file:///data?alice=hunter2",
        "postgresql:alice:hunter2@host/db",
        "alice:hunter2@host/db",
        "s3://bucket/folder?alice=hunter2@x",
    ],
)
def test_a_message_holds_no_secret_of_a_url(url: str) -> None:
    for message in (refusal(HEADWATER_URL=url), redact(url)):
        assert "alice" not in message
        assert "ter2" not in message


def test_an_unknown_key_is_named_with_its_file_and_the_known_keys(file: Path) -> None:
    file.write_text('projekt = "vision"\n')

    message = refusal()

    assert "'projekt'" in message
    assert str(file) in message
    for key in ("url", "entity", "project", "cache_dir", "quiet"):
        assert key in message


def test_a_file_that_does_not_parse_is_named_with_its_line(file: Path) -> None:
    file.write_text('entity = "a"\nproject = vision\n')

    message = refusal()

    assert str(file) in message
    assert "line 2" in message


def test_a_file_that_is_not_utf8_is_named_with_its_line(file: Path) -> None:
    file.write_bytes(b'entity = "a"\nproject = "\xff"\n')

    message = refusal()

    assert str(file) in message
    assert "line 2" in message


def test_a_settings_file_that_is_too_large_or_a_folder_is_refused(file: Path) -> None:
    file.write_bytes(b"#" * (SETTINGS_BYTES_MAX + 1))
    too_large = refusal()
    file.unlink()
    file.mkdir()
    folder = refusal()

    assert str(file) in too_large
    assert str(file) in folder


@pytest.mark.parametrize("line", ["project = 3", "project = ''", "url = ['a']", "quiet = 'maybe'", "quiet = 1"])
def test_a_value_of_the_wrong_type_names_its_key_and_file(file: Path, line: str) -> None:
    file.write_text(line)

    message = refusal()

    assert line.split()[0] in message
    assert str(file) in message


@pytest.mark.parametrize("variable", ["HEADWATER_ENTITY", "HEADWATER_PROJECT"])
def test_a_bad_name_says_where_it_was_found_and_what_is_wrong(variable: str) -> None:
    message = refusal(**{variable: "two words"})

    assert variable in message
    assert "'two words' contains ' '" in message


@pytest.mark.parametrize(
    ("text", "quiet"), [("1", True), ("true", True), ("Yes", True), ("on", True), ("0", False), ("FALSE", False)]
)
def test_quiet_is_a_switch(text: str, quiet: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_QUIET", text)

    assert read_settings().quiet is quiet


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf", "1e300", "true"])
def test_a_patience_that_is_no_number_of_seconds_is_refused(text: str) -> None:
    message = refusal(HEADWATER_WAIT_SECONDS=text)

    assert f"HEADWATER_WAIT_SECONDS is {text!r}. Write a number of seconds, at most 604,800." in message


@pytest.mark.parametrize(
    ("login", "entity"),
    [
        ("ada", "ada"),
        ("CORP\\ada b", "CORP-ada-b"),
        ("ada@example.org", "ada-example.org"),
        ("..", "user"),
        ("é", "user"),
    ],
)
def test_the_entity_is_the_login_name_made_into_a_valid_name(login: str, entity: str) -> None:
    settings = read_settings({"LOGNAME": login, "HEADWATER_SETTINGS": os.devnull})

    assert settings.entity == entity


def test_a_long_login_name_is_cut() -> None:
    assert len(read_settings({"LOGNAME": "a" * 500}).entity) == NAME_LENGTH_MAX


def test_without_a_login_variable_the_account_is_the_entity() -> None:
    entity = read_settings({"HEADWATER_SETTINGS": os.devnull}).entity

    assert check_name(entity, "entity") == entity


def test_every_row_of_the_table_is_a_setting_that_is_read(file: Path) -> None:
    values = {
        "url": "/data/x",
        "entity": "x",
        "project": "x",
        "cache_dir": "/data/x",
        "quiet": "true",
        "capture": "off",
        "outage_seconds": "5",
        "wait_seconds": "0.5",
    }
    rows = {row.name: row for row in all_settings()}

    assert set(rows) == {*values, "settings file", "token", "token_file", "ca_file"}  # see test_server_address
    for name, value in values.items():
        by_variable = read_settings({**_bare(), rows[name].variable: value})
        file.write_text(f"{rows[name].file_key} = {'true' if name == 'quiet' else json.dumps(value)}")
        by_file = read_settings({**_bare(), "HEADWATER_SETTINGS": str(file)})
        assert by_variable == by_file != read_settings(_bare()), name


def _bare() -> dict[str, str]:
    return {"LOGNAME": "ada", "HEADWATER_SETTINGS": os.devnull}


@pytest.mark.parametrize("home", ["/ada", "/ada//", "/"])
@pytest.mark.parametrize("xdg", [None, "", "/elsewhere", "relative"])
def test_default_folders_are_where_the_platform_wants_them(
    home: str, xdg: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", home)
    for variable in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
        if xdg is not None:
            monkeypatch.setenv(variable, xdg)

    settings = read_settings(_bare())

    assert settings.store == Path(platformdirs.user_data_dir("headwater"), "store")
    assert settings.cache_dir == Path(platformdirs.user_cache_dir("headwater"))


def test_reading_settings_loads_neither_a_database_nor_a_terminal_library() -> None:
    program = (
        "import sys; from headwater_stores.config.settings import read_settings; read_settings();"
        "print([m for m in ('sqlalchemy', 'rich', 'numpy', 'sqlite3', 'fastavro', 'click') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


# --- profiles -----------------------------------------------------------------------------------------------------

CANARIES = {
    "HEADWATER_KAFKA_SASL_PASSWORD": "canary-of-kafka",
    "HEADWATER_DATABASE_URL": "postgresql://ada:canary-of-postgresql@db.example.com/headwater",
    "HEADWATER_S3_ACCESS_KEY": "canary-of-s3-key",
    "HEADWATER_S3_SECRET_KEY": "canary-of-s3-secret",
    "HEADWATER_S3_SESSION_TOKEN": "canary-of-s3-token",
}
PROFILE = """
    url = "profile:cluster"
    [profiles.cluster]
    kafka_servers = "k1:9092"
    kafka_partitions = 8
    database_url = "postgresql://db/headwater"
    s3_endpoint = "http://s3:9000"
"""


def test_a_profile_is_a_table_of_the_settings_file(file: Path) -> None:
    file.write_text(textwrap.dedent(PROFILE))

    profile = read_settings({**_bare(), "HEADWATER_SETTINGS": str(file)}).profile

    assert profile is not None
    assert (kafka_settings(profile).servers, kafka_settings(profile).topic, kafka_settings(profile).partitions) == (
        "k1:9092",
        "headwater",
        8,
    )
    assert profile.database_url == "postgresql://db/headwater"
    assert (s3_settings(profile).endpoint, s3_settings(profile).bucket, s3_settings(profile).access_key) == (
        "http://s3:9000",
        "headwater",
        None,
    )


@pytest.mark.parametrize("row", profile_keys(), ids=lambda row: row.key)
def test_a_variable_comes_before_each_key_of_a_profile(row: ProfileKey, file: Path) -> None:
    file.write_text(textwrap.dedent(PROFILE))

    profile = read_settings({**_bare(), "HEADWATER_SETTINGS": str(file), row.variable: "7"}).profile

    assert profile is not None
    assert profile.values[row.key] == "7"


@pytest.mark.parametrize("row", [row for row in profile_keys() if row.default is None], ids=lambda row: row.key)
def test_what_a_profile_must_say_and_does_not_is_named(row: ProfileKey, file: Path) -> None:
    file.write_text("\n".join(line for line in textwrap.dedent(PROFILE).splitlines() if not line.startswith(row.key)))

    message = _refused({**_bare(), "HEADWATER_SETTINGS": str(file)})

    assert {row.key, row.variable, "'cluster'"} <= {word.strip(".,:") for word in message.split()}


def test_variables_alone_make_a_profile() -> None:
    said = {"HEADWATER_KAFKA_SERVERS": "k:1", "HEADWATER_S3_ENDPOINT": "http://s3", **CANARIES}

    profile = read_settings({**_bare(), "HEADWATER_URL": "profile:ci", **said}).profile

    assert profile is not None
    assert profile.name == "ci"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[profiles.cluster]\nkafka_server = "k1"', "'kafka_server'"),
        ("[profiles.cluster]\nkafka_servers = 1.5", "kafka_servers"),
        ("profiles = 1", "[profiles.NAME]"),
        ("[profiles]\ncluster = 1", "[profiles.NAME]"),
    ],
)
def test_a_profile_that_cannot_be_understood_is_refused(file: Path, text: str, says: str) -> None:
    file.write_text(text)

    assert says in _refused({**_bare(), "HEADWATER_URL": "profile:cluster", "HEADWATER_SETTINGS": str(file)})


def test_no_secret_of_a_profile_is_shown() -> None:
    said = {"HEADWATER_KAFKA_SERVERS": "k:1", "HEADWATER_S3_ENDPOINT": "http://s3", **CANARIES}
    settings = read_settings({**_bare(), "HEADWATER_URL": "profile:ci", **said})
    assert settings.profile is not None

    shown = " ".join(
        [
            repr(settings),
            repr(kafka_settings(settings.profile)),
            repr(s3_settings(settings.profile)),
            str(settings.profile.redacted()),
        ]
    )

    assert "db.example.com/headwater" in shown
    assert "canary" not in shown


def _refused(environ: Mapping[str, str]) -> str:
    with pytest.raises(InvalidSettings) as refused:
        read_settings(environ)
    return str(refused.value)
