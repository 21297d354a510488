"""What a shell proposes while somebody types, and `headwater completion`, which says how to set it up.

Names come from the store as it is: nothing is written, nothing is waited for, and any trouble means no proposals.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, get_completion_class

if TYPE_CHECKING:
    from headwater_consumer.database import Database

    from headwater._config.settings import Settings

PROGRAM = "headwater"
VARIABLE = "_HEADWATER_COMPLETE"
PROPOSED_MAX = 200  # more than anybody reads; and one question
PATIENCE_S = 2.0  # servers that do not answer by then propose nothing

Question = Callable[["Database", str, str], list[str]]  # (database, "entity/project", "entity/project/name")


class BashWithColons(BashComplete):
    """Bash takes `pets:v` for three words and replaces the last: join them to ask, and answer with the rest alone."""

    source_template = BashComplete.source_template.replace(
        'COMP_WORDS="${COMP_WORDS[*]}"', 'COMP_WORDS="${COMP_LINE:0:COMP_POINT}" BREAKS="$COMP_WORDBREAKS"'
    )

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["COMP_WORDS"]
        words = click.shell_completion.split_arg_string(line)
        incomplete = words.pop() if words and not line[-1:].isspace() else ""
        head, colon, _ = incomplete.rpartition(":")
        is_broken = ":" in os.environ.get("BREAKS", "") and not _ends_in_quotes(line)
        self._kept = f"{head}{colon}" if is_broken else ""
        return words[1:], incomplete

    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.type},{item.value.removeprefix(self._kept)}"


def _ends_in_quotes(line: str) -> bool:
    """Whether the last word is one that somebody quotes: bash breaks no such word."""
    quote, letters = "", iter(line)
    for letter in letters:
        if letter == "\\" and quote != "'":
            next(letters, None)
        elif letter in {quote or "'", quote or '"'}:
            quote = "" if quote else letter
    return bool(quote)


def install() -> None:
    """Answer shells that ask for completions."""
    add_completion_class(BashWithColons)


@click.command("completion", short_help="Print what makes a shell complete names.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print what makes a shell complete commands, options, artifacts, versions and aliases.

    \b
    bash: eval "$(headwater completion bash)"        in ~/.bashrc
    zsh:  eval "$(headwater completion zsh)"         in ~/.zshrc, after compinit
    fish: headwater completion fish | source         in ~/.config/fish/config.fish
    """
    from headwater.cli import cli

    install()
    shell_class = get_completion_class(shell)
    assert shell_class is not None, "click completes for each of the choices"
    click.echo(shell_class(cli, {}, PROGRAM, VARIABLE).source())


# --- for arguments and options


def complete_version(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """`pets`, and after a colon `pets:latest`, `pets:v3`."""
    name, colon, selector = incomplete.partition(":")
    if not colon:
        return complete_artifact(ctx, param, incomplete)
    return [f"{name}:{found}" for found in _starting(selector, _proposals(ctx, name, _selectors))]


def complete_artifact(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """`pets`, `animals/pets`."""
    head, slash, _ = incomplete.rpartition("/")
    names = [f"{head}{slash}{name}" for name in _proposals(ctx, incomplete, _names)]
    return _starting(incomplete, names)


def complete_alias(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """The aliases of the artifact that the command is about."""
    return _starting(incomplete, _proposals(ctx, str(ctx.params.get("name", "")).partition(":")[0], _aliases))


def complete_type(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """The types that artifacts of the project have."""
    return _starting(incomplete, _proposals(ctx, "", _types))


def _starting(beginning: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(beginning)]


# --- asking the store


def _proposals(ctx: click.Context, name: str, question: Question) -> list[str]:
    """What `question` finds for `[[entity/]project/]name`; nothing where that fails or takes too long."""
    import_module("headwater_consumer.queries")  # what this machine needs to load is no sign of a server that hangs
    import_module("headwater._commit.client")
    found: list[str] = []
    asking = Thread(target=lambda: found.extend(_asked(ctx, name, question)), daemon=True)
    asking.start()
    asking.join(PATIENCE_S)
    return found


def _asked(ctx: click.Context, name: str, question: Question) -> Sequence[str]:
    from headwater_schemas.errors import HeadwaterError

    from headwater._commit.client import client_for
    from headwater._config.settings import read_settings

    try:
        settings = read_settings()
        client = client_for(settings, create=False)
        project = _project(ctx, settings, name)
        return question(client.stores.database, project, f"{project}/{name.rpartition('/')[2]}")
    except (HeadwaterError, OSError):
        return []


def _project(ctx: click.Context, settings: "Settings", name: str) -> str:
    """ "entity/project": what the name says, else the options, else the settings."""
    project = ctx.params.get("project") or settings.project
    entity = ctx.params.get("entity") or settings.entity
    *before, _ = name.split("/")
    return "/".join([entity, project][: 2 - len(before)] + before[-2:])


def _names(database: "Database", project: str, collection: str) -> list[str]:  # noqa: ARG001 - all questions are alike
    from headwater_consumer import queries

    found = queries.collections(database, project, limit=PROPOSED_MAX)
    return [info.collection.rpartition("/")[2] for info in found]


def _selectors(database: "Database", project: str, collection: str) -> list[str]:
    from headwater_consumer import queries

    found = queries.version_infos(database, collection, limit=PROPOSED_MAX)
    return [*_aliases(database, project, collection), *[f"v{info.version}" for info in found]]


def _aliases(database: "Database", project: str, collection: str) -> list[str]:  # noqa: ARG001 - as above
    from headwater_consumer import queries

    found = queries.version_infos(database, collection, limit=PROPOSED_MAX)
    return sorted({alias for info in found for alias in info.aliases})


def _types(database: "Database", project: str, collection: str) -> list[str]:  # noqa: ARG001 - as above
    from headwater_consumer import queries

    return queries.artifact_types(database, project, limit=PROPOSED_MAX)
