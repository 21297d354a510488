"""House rules that no linter knows, each with its reason.

Style, types and unused code are for ruff and mypy. What is here holds for the tree as git knows it, so a file counts
from the moment it is added.
"""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("schemas", "runtime", "eventlog", "blobs", "producer", "consumer", "sdk")

MODULE_LINES_MAX = 500  # more cannot be held in one head
FUNCTION_LINES_MAX = 70  # a screen: what a function does is seen without scrolling
# "path:function" of a function that is honestly longer, with the reason beside it.
LONG_FUNCTIONS: frozenset[str] = frozenset()

# Driver → where it may be imported. "Who talks to the log file?" has a one-word answer, and a port stays a port.
HOMES_OF_DRIVERS = {
    "sqlite3": (
        "eventlog/headwater_eventlog/",
        "consumer/headwater_consumer/database/sqlite/",
        "sdk/headwater/_ingest/stat_cache.py",
        "runtime/headwater_runtime/shared_databases.py",
    ),
    "kafka": ("eventlog/",),
    "minio": ("blobs/headwater_blobs/s3/minio_client.py",),
    "google": ("sdk/headwater/_references/gs.py",),
    "pyarrow": ("sdk/headwater/_tables/parquet.py",),
    "urllib3": ("runtime/headwater_runtime/proxies.py", "blobs/", "sdk/headwater/_references/"),
    "sqlalchemy": ("consumer/",),
    "psycopg": ("consumer/headwater_consumer/database/postgresql/",),
}

# Why a module of ours is imported inside a function: so that what is heavy is loaded when it is used, not before. Of
# ours that is the database: its rows and queries are hundreds of classes and functions.
HEAVY = frozenset(
    (
        "database",
        "fastavro",
        "http",
        "kafka",
        "minio",
        "numpy",
        "pandas",
        "prometheus_client",
        "psycopg",
        "pyarrow",
        "rich",
    )
)
DEFERRED = re.compile(r"# deferred: ([a-z_]+(?:, [a-z_]+)*)")

# Attributes with an underscore that belong to no class of ours: of named tuples and modules, or of libraries whose
# public interface lacks what is needed (their versions have an upper bound for that reason).
OUTSIDE_PRIVATES = frozenset(("_asdict", "_exit", "_field_defaults", "_fields", "_make", "_replace")) | frozenset(
    (
        "_abort_multipart_upload",
        "_complete_multipart_upload",
        "_coordinator",
        "_create_multipart_upload",
        "_delete_objects",
        "_execute",
        "_fetcher",
        "_list_multipart_uploads",
        "_list_partition_offsets_process_response",
        "_list_partition_offsets_request",
        "_list_parts",
        "_manager",
        "_next_partition_records",
        "_put_object",
        "_sender",
        "_unregister_cleanup",
        "_upload_part",
    )
)

# Words that would tie the project to one machine. Put together here, so that this file may be searched too.
_FOLDERS = "|".join(("work", "root", "home", "Users"))
_HOSTS = "|".join(("py" + "pi", "python" + "hosted", "index" + "-url", "artifact" + "ory"))
MACHINE_WORDS = re.compile(rf"(?<![\w.~}}-])/(?:{_FOLDERS})/\w|{_HOSTS}")

# What decides or words what a projection stores may not ask the interpreter about characters: its answer changes with
# its version of Unicode. `frozen_unicode` asks for all of them.
JUDGES_OF_REPLAYS = ("schemas/headwater_schemas/", "consumer/headwater_consumer/projector/")
LOCAL_WORDS = frozenset(  # messages for whoever called, which nothing stores; and the one place that may ask
    f"schemas/headwater_schemas/{module}.py" for module in ("errors", "frozen_unicode", "positions")
)
ABOUT_WHITE_SPACE = frozenset(("lstrip", "rstrip", "rsplit", "split", "strip"))  # where they name no characters
ABOUT_CHARACTERS = ABOUT_WHITE_SPACE | frozenset(
    [
        "capitalize",
        "casefold",
        "isalnum",
        "isalpha",
        "isdecimal",
        "isdigit",
        "isidentifier",
        "islower",
        "isnumeric",
        "isprintable",
        "isspace",
        "istitle",
        "isupper",
        "lower",
        "splitlines",
        "swapcase",
        "title",
        "upper",
    ]
)
CLASS_OF_CHARACTERS = re.compile(r"\\[dDsSwWbB]")

UNDONE = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X:")))


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    # What is deleted but not yet committed is still listed.
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


pytestmark = pytest.mark.xdist_group("house rules")  # one process, which parses all modules once

MODULES: dict[str, ast.Module] = {}
SHIPPED: dict[str, ast.Module] = {}


@pytest.fixture(scope="module", autouse=True)
def _parsed() -> Iterator[None]:
    """In memory while these tests run, and no longer: it is much."""
    MODULES.update({name_of(path): ast.parse(path.read_text("utf-8")) for path in tracked("*.py")})
    rooms = tuple(f"{room}/" for room in ROOMS)
    SHIPPED.update({name: tree for name, tree in MODULES.items() if name.startswith(rooms)})
    yield
    MODULES.clear()
    SHIPPED.clear()


def test_there_is_something_to_check() -> None:
    assert "schemas/headwater_schemas/codec.py" in SHIPPED
    assert "tests/conftest.py" in MODULES


def test_a_module_fits_in_a_head() -> None:
    lengths = {name: len((ROOT / name).read_text("utf-8").splitlines()) for name in MODULES}

    assert {name: lines for name, lines in lengths.items() if lines > MODULE_LINES_MAX} == {}


def test_a_function_fits_on_a_screen() -> None:
    lengths = dict(lengths_of_functions())

    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES_MAX} == {}, "too long"
    assert LONG_FUNCTIONS - lengths.keys() == frozenset(), "an exception for a function that is not there"


def lengths_of_functions() -> Iterator[tuple[str, int]]:
    for name, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and f"{name}:{node.name}" not in LONG_FUNCTIONS:
                assert node.end_lineno is not None
                yield f"{name}:{node.name}", node.end_lineno - node.lineno + 1


def test_every_module_says_what_it_is_for() -> None:
    """A reader learns what lives here, and what never does, before any code."""
    assert [name for name, tree in MODULES.items() if not ast.get_docstring(tree)] == []


def test_every_package_has_a_module_that_says_what_it_is_for() -> None:
    """Without `__init__.py` a folder would be importable by accident, and its room would have no words."""
    packages = {str(Path(name).parent) for name in SHIPPED}

    assert [package for package in packages if f"{package}/__init__.py" not in SHIPPED] == []


def test_errors_are_caught_by_name() -> None:
    """What cannot be named cannot be acted on; catching it would only hide it."""
    assert [place for name, tree in MODULES.items() for place in broad_handlers(name, tree)] == []


def broad_handlers(name: str, tree: ast.Module) -> Iterator[str]:
    handlers = (node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler))
    return (f"{name}:{handler.lineno}" for handler in handlers if is_broad(handler))


def is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    caught = {part.id for part in ast.walk(handler.type) if isinstance(part, ast.Name)}
    cleans_up = isinstance(handler.body[-1], ast.Raise)  # which has to be done after Ctrl-C too, and hides nothing
    return "Exception" in caught or ("BaseException" in caught and not cleans_up)


def test_nothing_is_left_for_later() -> None:
    """A note in the code is read by nobody; what is missing belongs into an issue."""
    assert list(lines_with(UNDONE, tracked())) == []


def test_nothing_names_a_machine_or_a_registry() -> None:
    """What names one machine works on one machine."""
    assert list(lines_with(MACHINE_WORDS, tracked())) == []


def lines_with(pattern: re.Pattern[str], paths: list[Path]) -> Iterator[str]:
    for path in paths:
        try:
            lines = path.read_text("utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # an image, or bytes for a test
        yield from (f"{name_of(path)}:{number}" for number, line in enumerate(lines, 1) if pattern.search(line))


@pytest.mark.parametrize("driver", HOMES_OF_DRIVERS)
def test_a_driver_is_imported_only_at_home(driver: str) -> None:
    abroad = [
        name
        for name, tree in SHIPPED.items()
        if driver in top_level_imports(tree) and not name.startswith(HOMES_OF_DRIVERS[driver])
    ]

    assert abroad == []


def top_level_imports(tree: ast.Module) -> set[str]:
    """The first part of every module that is imported, wherever the import stands."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_an_import_of_ours_inside_a_function_names_what_is_heavy_that_it_defers() -> None:
    """Anything else belongs at the top, where a reader and the import linter look; a circle is opened, not hidden."""
    assert [place for name in SHIPPED for place in unmarked_imports(name)] == []


def unmarked_imports(name: str) -> Iterator[str]:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    functions = [node for node in ast.walk(SHIPPED[name]) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in (inner for function in functions for inner in ast.walk(function)):
        if not any(module.startswith("headwater") for module in imported_modules(node)):
            continue
        assert isinstance(node, ast.stmt)
        mark = DEFERRED.search("\n".join(lines[node.lineno - 1 : node.end_lineno]))
        if mark is None or not HEAVY.issuperset(mark[1].split(", ")):
            yield f"{name}:{node.lineno}"


def imported_modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_a_private_attribute_is_used_only_in_the_module_that_defines_it() -> None:
    """What others need of an object is a method of it, or is passed to them."""
    assert [place for name, tree in SHIPPED.items() for place in foreign_privates(name, tree)] == []


def foreign_privates(name: str, tree: ast.Module) -> Iterator[str]:
    own = set(defined_names(tree)) | OUTSIDE_PRIVATES
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr.startswith("__"):
            continue
        owner = node.value.func if isinstance(node.value, ast.Call) else node.value
        is_own = isinstance(owner, ast.Name) and owner.id in ("self", "cls", "super")
        if not is_own and node.attr not in own:
            yield f"{name}:{node.lineno}: {ast.unparse(node)}"


def defined_names(tree: ast.Module) -> Iterator[str]:
    """Names of functions, classes, variables, and of attributes that are set on `self`."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Attribute(attr=name, value=ast.Name(id="self" | "cls"), ctx=ast.Store()):
                yield name


def test_nothing_that_a_projection_stores_depends_on_the_interpreters_unicode() -> None:
    """A replay under a later Python must give the same rows: texts are judged and quoted by `frozen_unicode`."""
    judges = [name for name in SHIPPED if name.startswith(JUDGES_OF_REPLAYS) and name not in LOCAL_WORDS]

    assert [place for name in judges for place in asked_of_interpreter(name)] == []


def asked_of_interpreter(name: str) -> Iterator[str]:
    for node in ast.walk(SHIPPED[name]):
        match node:
            case ast.FormattedValue(conversion=conversion) if conversion == ord("r"):
                yield f"{name}:{node.lineno}: !r"
            case ast.Call(func=ast.Name(id="repr")):
                yield f"{name}:{node.lineno}: repr"
            case ast.Call(func=ast.Attribute(attr=asked), args=arguments) if asked in ABOUT_CHARACTERS:
                if not (arguments and asked in ABOUT_WHITE_SPACE):
                    yield f"{name}:{node.lineno}: {asked}"
            case ast.Import() | ast.ImportFrom() if "unicodedata" in ast.unparse(node):
                yield f"{name}:{node.lineno}: unicodedata"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re")), args=[ast.Constant(value=str(pattern)), *_]):
                if CLASS_OF_CHARACTERS.search(pattern):
                    yield f"{name}:{node.lineno}: {pattern}"
