"""Which command line each request is. Nothing else can be asked for: no other command, option or path of the server.

Values stand in the same argument as their option, and names after `--`, so that none is taken for an option.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from headwater_schemas.archive_files import BUCKET
from headwater_schemas.errors import InvalidInput
from headwater_schemas.names import ArtifactReference, check_project

from headwater_server.operations.models import Aliases, Archive, Export, Gc, Maintain

NAMES = ("archive", "export", "gc", "import", "maintain")
STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class Command:
    """A command that runs for a client."""

    arguments: tuple[str, ...]  # the name of the command first
    as_json: bool
    quiet: bool
    makes_file: bool = False  # which it writes to `--output`, that is still to be added
    takes_file: bool = False  # on standard input

    @property
    def name(self) -> str:
        """Of the command."""
        return self.arguments[0]


def gc(asked: Gc) -> Command:
    """`headwater gc`."""
    options = (
        *_seconds("--grace", asked.grace_seconds),
        *_seconds("--wait", asked.wait_seconds),
        *_switch("--dry-run", asked.dry_run),
        *_switch("--after-loss", asked.after_loss),
        *_switch("--json", asked.as_json),
    )
    return Command(("gc", *options), asked.as_json, asked.quiet)


def maintain(asked: Maintain) -> Command:
    """`headwater maintain`. Raises: InvalidName."""
    days = asked.retire_sessions_days
    options = (
        *_project(asked.project),
        *([] if days is None else [f"--retire-sessions-days={days}"]),
        *_switch("--heal", asked.heal),
        *_switch("--verify", asked.verify),
        *_switch("--dry-run", asked.dry_run),
        *_switch("--yes", asked.yes),
        *_switch("--json", asked.as_json),
    )
    return Command(("maintain", *options), asked.as_json, asked.quiet)


def archive(asked: Archive) -> Command:
    """`headwater archive`. Raises: InvalidInput for a target that would be a path of the server."""
    if asked.target is not None and not (asked.target.startswith(BUCKET) and asked.target.isprintable()):
        raise InvalidInput(
            f"through a server, an archive is beside the content of its store or in a bucket, not in "
            f"{asked.target!a:.200}. Write s3://bucket/prefix, or archive to a folder where the server runs."
        )
    options = (
        *_switch("--trim", asked.trim),
        *_seconds("--keep", asked.keep_seconds),
        *_switch("--check", asked.check),
        *_switch("--json", asked.as_json),
        *([] if asked.target is None else ["--", asked.target]),
    )
    return Command(("archive", *options), asked.as_json, asked.quiet)


def export(asked: Export) -> Command:
    """`headwater export`, of which the file is sent. Raises: InvalidName, InvalidInput."""
    if bool(asked.names) == (asked.project is not None):
        raise InvalidInput("an export is of some `names`, or of a `project`. Give one of them.")
    if asked.project is not None and not asked.all_versions:
        raise InvalidInput("of a `project`, all versions are exported. Set `all_versions`.")
    options = (
        *_project(asked.project),
        *_switch("--all", asked.all_versions),
        *_switch("--no-upstream", not asked.upstream),
        *_switch("--json", asked.as_json),
        "--",
        *map(_whole, asked.names),
    )
    return Command(("export", *options), asked.as_json, asked.quiet, makes_file=True)


def import_(*, project: str | None, aliases: Aliases, as_json: bool, quiet: bool) -> Command:
    """`headwater import`, of the file that is sent. Raises: InvalidName."""
    options = (
        *([] if project is None else [f"--project={check_project(project)}"]),
        f"--aliases={aliases}",
        *_switch("--json", as_json),
        STANDARD_INPUT,
    )
    return Command(("import", *options), as_json, quiet, takes_file=True)


def _switch(option: str, is_on: bool) -> Iterator[str]:
    if is_on:
        yield option


def _seconds(option: str, seconds: int | None) -> Iterator[str]:
    if seconds is not None:
        yield f"{option}={seconds}s"


def _project(project: str | None) -> Iterator[str]:
    if project is not None:
        entity, name = check_project(project).split("/")
        yield from (f"--entity={entity}", f"--project={name}")


def _whole(name: str) -> str:
    """A name that says all its parts: which entity and project the server would add is nobody's business."""
    if ArtifactReference.parse(name).entity is None:
        raise InvalidInput(f"{name!a:.200} is not a whole name. Write ENTITY/PROJECT/NAME.")
    return name
