"""`headwater doctor`: check settings, connections and store."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import click
from headwater_schemas.errors import HeadwaterError, StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST
from headwater_stores.access import Obstacle, kept_from_group, mending_command, obstacles
from headwater_stores.config.profile import Profile
from headwater_stores.config.server_address import ServerAddress
from headwater_stores.config.settings import Settings, read_settings, redact
from headwater_stores.http.opening import open_server
from headwater_stores.leftovers import Amount, reclaimable
from headwater_stores.telling.progress import counted, printable

from headwater.cli.options import json_option
from headwater.cli.output import console, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from headwater_stores.lost_content import LostObject
    from headwater_stores.stores import Stores

CATCH_UP_TIMEOUT_S = 10.0  # keeps `doctor` quick when the projection does not make progress
NAMES_SHOWN = 10
OBSTACLES_MAX = 1000  # beyond that, the whole store is to be mended anyway
CONTENT = "stored content"  # the name of a check
COLOURS = {"ok": "green", "note": "yellow", "broken": "red"}


State = Literal["ok", "note", "broken"]


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one check."""

    check: str
    state: State
    detail: str


@click.command("doctor", short_help="Check settings, connections and store.")
@click.option("--verify", is_flag=True, help="Also read all content and verify its digests.")
@json_option
def doctor_command(verify: bool, as_json: bool) -> None:
    """Check settings, connections and store, and explain how to fix problems.

    Exits with code 1 if something is broken.
    """
    settings = read_settings()
    results = _check_settings(settings)
    projectors: list[Result] = []
    if settings.server is not None:
        results += _check_server(settings.server)
    elif settings.profile is not None:
        projectors = _check_projectors(settings.profile)
        results += _check_servers(settings.profile)
    else:
        results += _check_access(settings.store)
    if settings.server is None and not _broken(results):
        catch_up_s = 0.0 if _broken(projectors) else CATCH_UP_TIMEOUT_S
        results += _check_store(settings, verify=verify, catch_up_s=catch_up_s)
    # Where none is running, that explains all the rest, so it comes first.
    results = projectors + results if _broken(projectors) else results + projectors
    if as_json:
        print_json([{"check": one.check, "state": one.state, "detail": one.detail} for one in results])
    else:
        _print(results)
    if _broken(results):
        raise SystemExit(1)


def _broken(results: list[Result]) -> bool:
    return any(one.state == "broken" for one in results)


def _print(results: list[Result]) -> None:
    from rich.markup import escape

    out = console()
    for one in results:
        text = escape(printable(f"{one.check}: {one.detail}"))
        out.print(f"[{COLOURS[one.state]}]{one.state:>6}[/]  {text}", soft_wrap=True)


def _check_settings(settings: Settings) -> list[Result]:
    profile = {} if settings.profile is None else settings.profile.redacted()
    values = {
        "store": redact(settings.url),
        **profile,
        "entity": settings.entity,
        "project": settings.project,
        "cache": str(settings.cache_dir),
    }
    return [Result(key, "ok", value) for key, value in values.items()]


def _check_server(address: ServerAddress) -> list[Result]:
    """What a client can know: that the server lets it in, as whom, and answers. The rest is its operator's to check."""
    try:
        with closing(open_server(address, outage_s=0.0)) as stores:
            who = Result("server", "ok", f"{stores.name} answers, and knows you as {stores.principal}")
            return [who, *_completed("projection", lambda: [_projection_of_server(stores)])]
    except HeadwaterError as error:
        return [Result("server", "broken", str(error))]


def _projection_of_server(stores: "Stores") -> Result:
    stores.projection.catch_up(timeout_s=CATCH_UP_TIMEOUT_S)
    return Result("projection", "ok", "up to date")


def _check_servers(profile: Profile) -> list[Result]:
    """Tests each connection by itself, so that one failure does not hide another."""
    from headwater_stores.servers import diagnose_servers  # deferred: kafka, minio

    return [Result(server, "ok" if is_good else "broken", text) for server, is_good, text in diagnose_servers(profile)]


def _check_projectors(profile: Profile) -> list[Result]:
    from headwater_stores.servers import diagnose_projectors  # deferred: kafka, minio

    try:
        found = diagnose_projectors(profile)
    except HeadwaterError:
        return []  # the check of the database says why
    return [Result("projectors", "ok" if found.is_good else "broken", found.text)]


def _check_access(store: "Path") -> list[Result]:
    """Whose files keep this user, or the others of a group, from working with the store, and what mends that."""
    from headwater_stores.folder import databases_of  # deferred: database

    if not store.is_dir():
        return []
    databases = databases_of(store)
    found = obstacles(store, databases, limit=OBSTACLES_MAX)
    if not found:
        hidden = kept_from_group(store, databases)
        return [_access_result("note", "the group of this store cannot write", store, hidden)] if hidden else []
    if found[0].path == store:  # a reader of somebody else's store, as that wants it
        return [_access_result("note", "read-only for you", store, found[:1])]
    return [_access_result("broken", "you cannot use all of this store", store, found)]


def _access_result(state: State, what: str, store: "Path", found: list[Obstacle]) -> Result:
    named = "; ".join(map(str, found[:NAMES_SHOWN]))
    more = f"; and {len(found) - NAMES_SHOWN:,} more" if len(found) > NAMES_SHOWN else ""
    return Result("permissions", state, f"{what}: {named}{more}. To change that: {mending_command(store, found)}")


def _check_relays(settings: Settings, stores: "Stores") -> list[Result]:
    from headwater_stores.relays import diagnose_relays  # deferred: database

    if settings.profile is None:  # a folder has no Kafka to relay to
        return []
    found = diagnose_relays(settings, stores.database)
    return [Result("relay", "ok" if one.is_good else "note", one.text) for one in found]


def _check_store(settings: Settings, *, verify: bool, catch_up_s: float) -> list[Result]:
    from headwater_stores.lost_content import lost_objects  # deferred: database
    from headwater_stores.opening import open_stores  # deferred: database

    try:
        stores = open_stores(settings, create=False)
    except HeadwaterError as error:
        return [Result("opening the store", "broken", str(error))]
    try:
        return [
            *_completed("reading the log", lambda: _check_log(stores, catch_up_s)),
            *_completed("reading the database", lambda: _check_events(stores)),
            *_completed("relays", lambda: _check_relays(settings, stores)),
            *_completed("listing objects", lambda: _check_blobs(stores)),
            *_completed(CONTENT, lambda: [_content_result(lost_objects(stores, verify=verify, quiet=settings.quiet))]),
        ]
    finally:
        stores.close()


def _completed(check: str, results: Callable[[], list[Result]]) -> list[Result]:
    """The results of a check, or the one that says why it could not be completed: the others go on."""
    try:
        return results()
    except HeadwaterError as error:
        return [Result(check, "broken", str(error))]


def _check_log(stores: "Stores", catch_up_s: float) -> list[Result]:
    from headwater_consumer import queries  # deferred: database

    failure = _catch_up(stores, catch_up_s)
    ends, offsets = stores.log.ends(), queries.health(stores.database).offsets
    behind = sum(max(0, end - offsets.get(partition, BEFORE_FIRST)) for partition, end in ends.items())
    events = counted(sum(end - BEFORE_FIRST for end in ends.values()), "event")
    partitions = counted(len(ends), "partition")
    access = Result("access", "note", "read-only") if stores.read_only else Result("access", "ok", "read and write")
    log = Result("log", "ok", f"{events} in {partitions}, generation {stores.log.generation}")
    if failure is not None:
        projection = Result("projection", "broken", failure)
    elif behind:
        lag = f"{counted(behind, 'event')} behind; the next process with write access catches up"
        projection = Result("projection", "note", lag)
    else:
        projection = Result("projection", "ok", "up to date")
    return [access, log, projection]


def _catch_up(stores: "Stores", timeout_s: float) -> str | None:
    """Why the projection cannot catch up with the log, if it cannot, or is not that of this copy of it."""
    try:
        stores.projection.check_log(records=True)
        if not stores.read_only:
            stores.projection.catch_up(timeout_s=timeout_s)
    except StoreUnavailable as error:
        return str(error)
    return None


def _check_events(stores: "Stores") -> list[Result]:
    from headwater_consumer import queries  # deferred: database

    health = queries.health(stores.database)
    rejected = Result("rejected events", "ok", "none")
    if health.rejections:
        rejected = Result("rejected events", "note", f"{health.rejections:,}; their writers got the reasons")
    dead_letters = Result("dead letters", "ok", "none")
    if health.open_dead_letters:
        undecodable = counted(health.open_dead_letters, "event")
        dead_letters = Result(
            "dead letters",
            "broken",
            f"{undecodable} cannot be decoded; {health.parked_records:,} are parked behind. Upgrade headwater, or "
            "retry or skip them with `headwater dead-letters`",
        )
    return [rejected, dead_letters]


def _check_blobs(stores: "Stores") -> list[Result]:
    count, size = 0, 0
    for stored in stores.blobs.list_objects():
        count += 1
        size += stored.size
    staged = Amount.of(stores.blobs.abandoned())
    unpublished = Result("staged content", "ok", "none")
    if staged.count:
        left = reclaimable(stores.blobs)
        detail = (
            f"{staged.count:,}, {staged.size_bytes:,} bytes; in progress, or left by an interrupt or a crash. "
            f"`headwater gc` reclaims {left.size_bytes:,} bytes of it, which were left more than a day ago"
        )
        unpublished = Result("staged content", "note", detail)
    return [Result("objects", "ok", f"{count:,}, {size:,} bytes"), unpublished]


def _content_result(objects: "list[LostObject]") -> Result:
    from headwater_stores.lost_content import DAMAGED  # deferred: database

    if not objects:
        return Result(CONTENT, "ok", "no object is lost")
    hidden = len(objects) - NAMES_SHOWN
    more = f" and {hidden:,} more" if hidden > 0 else ""
    advice = "Log the files again from a machine that has them, with `headwater log --verify PATH`"
    if any(one.has_copies for one in objects):
        verify = " --verify" if any(one.problem == DAMAGED for one in objects) else ""
        advice = f"Run `headwater maintain --heal{verify}` for those that have copies. {advice}"
    lost = f"{', '.join(map(str, objects[:NAMES_SHOWN]))}{more}"
    return Result(CONTENT, "broken", f"{lost}. {advice}, or restore the objects from a backup of the store")
