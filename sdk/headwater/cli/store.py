"""`headwater version`, `headwater doctor` and `headwater replay`: about the store rather than what is in it."""

from importlib.metadata import version
from typing import TYPE_CHECKING

import click

from headwater.cli.common import console, counted, json_option, print_json, visible

if TYPE_CHECKING:
    from headwater._config.profile import Profile
    from headwater._config.settings import Settings
    from headwater._stores.stores import Stores

CATCH_UP_TIMEOUT_S = 10.0  # who asks what is wrong waits for the answer
NAMES_SHOWN = 10
WELL, NOTE, BROKEN = "ok", "note", "broken"
COLOURS = {WELL: "green", NOTE: "yellow", BROKEN: "red"}


@click.command("version")
@json_option
def version_command(as_json: bool) -> None:
    """Print the version of headwater."""
    if as_json:
        print_json({"headwater": version("headwater")})
    else:
        click.echo(f"headwater {version('headwater')}")


@click.command("doctor", short_help="Check settings and store, and say what to do.")
@click.option("--content", is_flag=True, help="Read all content too, and compare it with its digests.")
@json_option
def doctor_command(content: bool, as_json: bool) -> None:
    """Check settings and store, and say what is wrong and what to do. Exit code 1 when something is broken."""
    from rich.markup import escape

    from headwater._config.settings import read_settings

    settings = read_settings()
    findings = _settings_findings(settings)
    if settings.profile is not None:
        findings += _server_findings(settings.profile)
    if not any(state == BROKEN for _, state, _ in findings):
        findings += _store_findings(settings, content=content)
    if as_json:
        print_json([{"check": check, "state": state, "found": found} for check, state, found in findings])
    else:
        out = console()
        for check, state, found in findings:
            out.print(f"[{COLOURS[state]}]{state:>6}[/]  {escape(visible(f'{check}: {found}'))}", soft_wrap=True)
    if any(state == BROKEN for _, state, _ in findings):
        raise SystemExit(1)


@click.command("replay", short_help="Build all answers anew from the log, and compare.")
@click.option("--replace", is_flag=True, help="Put the new projection in the place of the old one.")
@json_option
def replay_command(replace: bool, as_json: bool) -> None:
    """Build the projection anew from the log, beside the old one, and compare the two.

    Exit code 1 when they differ. --replace also works when the old one is missing or damaged.
    """
    from headwater._stores.maintenance import replay_store

    report = replay_store(replace=replace)
    if as_json:
        print_json(report.as_json())
    else:
        for line in report.lines():
            click.echo(line)
    if not report.ok:
        raise SystemExit(1)


def _settings_findings(settings: "Settings") -> list[tuple[str, str, str]]:
    from headwater._config.settings import redact

    profile = {} if settings.profile is None else settings.profile.shown()
    return [
        ("store", WELL, redact(settings.url)),
        *((key, WELL, value) for key, value in profile.items()),
        ("entity", WELL, settings.entity),
        ("project", WELL, settings.project),
        ("cache", WELL, str(settings.cache_dir)),
    ]


def _server_findings(profile: "Profile") -> list[tuple[str, str, str]]:
    """Each connection tried by itself, so that one that fails hides no other."""
    from headwater._stores.servers import diagnose_servers

    return [(server, WELL if is_good else BROKEN, text) for server, is_good, text in diagnose_servers(profile)]


def _store_findings(settings: "Settings", *, content: bool) -> list[tuple[str, str, str]]:
    from headwater_schemas.errors import HeadwaterError

    from headwater._stores.maintenance import damaged_objects, missing_objects
    from headwater._stores.opening import open_stores

    try:
        stores = open_stores(settings, create=False)
    except HeadwaterError as error:
        return [("opening the store", BROKEN, str(error))]
    try:
        found = [*_log_findings(stores), *_trouble_findings(stores), *_blob_findings(stores)]
        found.append(_listed("missing objects", missing_objects(stores)))
        return [*found, _listed("damaged objects", damaged_objects(stores))] if content else found
    except HeadwaterError as error:
        return [("reading the store", BROKEN, str(error))]
    finally:
        stores.close()


def _log_findings(stores: "Stores") -> list[tuple[str, str, str]]:
    from headwater_consumer import queries
    from headwater_schemas.positions import BEFORE_FIRST

    trouble = _catching_up(stores)
    ends, at = stores.log.ends(), queries.health(stores.database).offsets
    behind = sum(end - at.get(partition, BEFORE_FIRST) for partition, end in ends.items())
    access = (NOTE, "read only") if stores.read_only else (WELL, "can be written")
    lag = (WELL, "up to date") if not behind else (NOTE, f"{behind:,} events behind; whoever may write catches up")
    events = counted(sum(end - BEFORE_FIRST for end in ends.values()), "event")
    return [
        ("access", *access),
        (
            "log",
            WELL,
            f"{events} in {counted(len(ends), 'partition')}, generation {stores.log.generation}",
        ),
        ("projection", *(lag if trouble is None else (BROKEN, trouble))),
    ]


def _catching_up(stores: "Stores") -> str | None:
    """Why the projection does not come to hold what is on the log now."""
    from headwater_schemas.errors import StoreUnavailable

    try:
        if not stores.read_only:
            stores.projection.catch_up(timeout_s=CATCH_UP_TIMEOUT_S)
    except StoreUnavailable as error:
        return str(error)
    return None


def _trouble_findings(stores: "Stores") -> list[tuple[str, str, str]]:
    from headwater_consumer import queries

    health = queries.health(stores.database)
    refused = (NOTE, f"{health.rejections:,} events were refused") if health.rejections else (WELL, "none")
    dead = WELL, "none"
    if health.open_dead_letters:
        waiting = (
            f"{health.open_dead_letters:,} cannot be decoded, and {health.parked_records:,} events wait behind them"
        )
        dead = BROKEN, f"{waiting}. Upgrade headwater, or resolve them"
    return [("refused events", *refused), ("dead letters", *dead)]


def _blob_findings(stores: "Stores") -> list[tuple[str, str, str]]:
    objects, size = 0, 0
    for stored in stores.blobs.list_objects():
        objects += 1
        size += stored.size
    left = list(stores.blobs.abandoned())
    staged = (WELL, "none")
    if left:
        staged = (NOTE, f"{len(left):,} uploads ({sum(item.size for item in left):,} bytes) are under way or were left")
    return [("objects", WELL, f"{objects:,}, {size:,} bytes"), ("unfinished uploads", *staged)]


def _listed(check: str, objects: list[str]) -> tuple[str, str, str]:
    if not objects:
        return check, WELL, "none"
    some = ", ".join(objects[:NAMES_SHOWN])
    more = f" and {len(objects) - NAMES_SHOWN:,} more" if len(objects) > NAMES_SHOWN else ""
    return check, BROKEN, f"{some}{more}. Restore them from a copy of the store"
