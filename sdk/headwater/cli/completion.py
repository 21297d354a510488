"""Shell completion, and `headwater completion`, which prints the script that enables it.

Candidates are read from the store as it is: nothing is written or waited for, and on any error there are none.

Imports of the store and the queries are deferred: they take longer than completing the name of a command or option.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, get_completion_class
from headwater_schemas.errors import HeadwaterError
from headwater_schemas.names import CollectionName
from headwater_stores.config.settings import Settings, read_settings

if TYPE_CHECKING:
    from headwater_consumer.queries.reads import Reads

PROGRAM = "headwater"
VARIABLE = "_HEADWATER_COMPLETE"
CANDIDATES_MAX = 200  # more than fits on a screen, and one query
TIMEOUT_S = 2.0  # no candidates from servers that respond later

_FOR_ALL, _FOR_SERVERS = ("headwater_consumer.queries", "headwater_stores.reading"), ("psycopg",)

Query = Callable[["Reads", str, str], list[str]]  # (reads, "entity/project", "entity/project/name")


class BashWithColons(BashComplete):
    """Bash splits `pets:v` into three words and completes the last, so join them and return only the rest."""

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
    """Whether the last word is inside quotes: bash does not split such a word."""
    quote, letters = "", iter(line)
    for letter in letters:
        if letter == "\\" and quote != "'":
            next(letters, None)
        elif letter in {quote or "'", quote or '"'}:
            quote = "" if quote else letter
    return bool(quote)


def install() -> None:
    """Register our completion for bash with click."""
    add_completion_class(BashWithColons)


@click.command("completion", short_help="Print the completion script for a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the script that completes commands, options, artifacts, versions and aliases.

    \b
    bash: eval "$(headwater completion bash)"        in ~/.bashrc
    zsh:  eval "$(headwater completion zsh)"         in ~/.zshrc, after compinit
    fish: headwater completion fish | source         in ~/.config/fish/config.fish
    """
    install()
    shell_class = get_completion_class(shell)
    assert shell_class is not None, "click supports each of the choices"
    click.echo(shell_class(click.get_current_context().find_root().command, {}, PROGRAM, VARIABLE).source())


# --- for arguments and options


def complete_version(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """`pets`, and after a colon `pets:latest`, `pets:v3`."""
    name, colon, selector = incomplete.partition(":")
    if not colon:
        return complete_artifact(ctx, param, incomplete)
    return [f"{name}:{found}" for found in _starting(selector, _candidates(ctx, name, _selectors))]


def complete_artifact(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """`pets`, `animals/pets`."""
    head, slash, _ = incomplete.rpartition("/")
    names = [f"{head}{slash}{name}" for name in _candidates(ctx, incomplete, _names)]
    return _starting(incomplete, names)


def complete_alias(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """The aliases of the artifact in the command line."""
    return _starting(incomplete, _candidates(ctx, str(ctx.params.get("name", "")).partition(":")[0], _aliases))


def complete_type(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """The types of the project's artifacts."""
    return _starting(incomplete, _candidates(ctx, "", _types))


def _starting(beginning: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(beginning)]


# --- querying the store


def _candidates(ctx: click.Context, name: str, query: Query) -> list[str]:
    """The results of `query` for `[[entity/]project/]name`; none if it fails or takes too long."""
    try:
        settings = read_settings()
    except HeadwaterError:
        return []
    for module in (*_FOR_ALL, *(() if settings.profile is None else _FOR_SERVERS)):
        with suppress(ImportError):  # of the database's driver, which opening the store tells of
            import_module(module)  # imported first: the timeout is for the store, not for imports
    found: list[str] = []
    thread = Thread(target=lambda: found.extend(_run_query(ctx, settings, name, query)), daemon=True)
    thread.start()
    thread.join(TIMEOUT_S)
    return found


def _run_query(ctx: click.Context, settings: Settings, name: str, query: Query) -> Sequence[str]:
    from headwater_stores.reading import reads_of_projection  # deferred: database

    try:
        project = _project(ctx, settings, name)
        with reads_of_projection(settings) as reads:
            return query(reads, project, f"{project}/{name.rpartition('/')[2]}")
    except (HeadwaterError, OSError):
        return []


def _project(ctx: click.Context, settings: Settings, name: str) -> str:
    """ "entity/project" from the name, else from the options, else from the settings."""
    project = ctx.params.get("project") or settings.project
    entity = ctx.params.get("entity") or settings.entity
    *before, _ = name.split("/")
    return "/".join([entity, project][: 2 - len(before)] + before[-2:])


def _names(reads: "Reads", project: str, collection: str) -> list[str]:  # noqa: ARG001 - a `Query`

    found = reads.collections(project, limit=CANDIDATES_MAX)
    return [CollectionName.parse(info.collection).name for info in found]


def _selectors(reads: "Reads", project: str, collection: str) -> list[str]:

    found = reads.version_infos(collection, limit=CANDIDATES_MAX)
    return [*_aliases(reads, project, collection), *[f"v{info.version}" for info in found]]


def _aliases(reads: "Reads", project: str, collection: str) -> list[str]:  # noqa: ARG001 - as above

    found = reads.version_infos(collection, limit=CANDIDATES_MAX)
    return sorted({alias for info in found for alias in info.aliases})


def _types(reads: "Reads", project: str, collection: str) -> list[str]:  # noqa: ARG001 - as above

    return reads.artifact_types(project, limit=CANDIDATES_MAX)
