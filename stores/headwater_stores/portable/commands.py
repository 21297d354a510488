"""Export from and import into the store that settings name, which is no server: that does it where it runs."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import IO

from headwater_consumer import queries
from headwater_schemas.errors import NotFound

from headwater_stores.catching_up import StoreReader, catch_up
from headwater_stores.config.settings import Settings
from headwater_stores.exclusive_jobs import exclusive_job
from headwater_stores.opening import open_stores
from headwater_stores.portable.archive import ExportArchive
from headwater_stores.portable.exporting import ExportReport, export_versions
from headwater_stores.portable.importing import ImportReport, import_versions
from headwater_stores.stores import Stores

IMPORTING = "importing"
_PAGE = 1000


def export_named(
    settings: Settings, named: Sequence[tuple[str, str | None]], out: IO[bytes], *, upstream: bool, all_versions: bool
) -> ExportReport:
    """Export versions, as (collection, selector), to `out`. Raises: NotFound; as `export_versions`."""
    with _reading(settings) as stores:
        wanted = [key for name, selector in named for key in _versions_of(stores, name, selector, all_versions)]
        return export_versions(stores, wanted, out, upstream=upstream, quiet=settings.quiet)


def export_project(settings: Settings, project: str, out: IO[bytes], *, upstream: bool = True) -> ExportReport:
    """Export all versions in "entity/project" to `out`. Raises: NotFound; as `export_versions`."""
    with _reading(settings) as stores:
        collections = _collections_of(stores, project)
        wanted = [key for name in collections for key in _versions_of(stores, name, None, True)]
        if not wanted:
            raise NotFound(f"{project} has no artifacts in {settings.url}.")
        return export_versions(stores, wanted, out, upstream=upstream, quiet=settings.quiet)


def import_file(settings: Settings, file: IO[bytes], name: str, *, project: str | None, aliases: str) -> ImportReport:
    """Import an export, in a file that can seek. Raises: as `import_versions`."""
    with (
        closing(ExportArchive(file, name)) as archive,
        closing(open_stores(settings, create=True)) as stores,
        exclusive_job(settings, IMPORTING),
    ):
        catch_up(stores, wait_s=settings.wait_s)
        return import_versions(
            stores, archive, project=project, aliases=aliases, wait_s=settings.wait_s, quiet=settings.quiet
        )


@contextmanager
def _reading(settings: Settings) -> Iterator[Stores]:
    with closing(StoreReader(settings)) as reader:
        reader.catch_up()
        yield reader.stores


def _versions_of(
    stores: Stores, collection: str, selector: str | None, all_versions: bool
) -> Iterator[tuple[str, int]]:
    """Raises: NotFound."""
    if selector is None and all_versions:
        infos = queries.version_infos(stores.database, collection, limit=_PAGE)
        if not infos:
            raise NotFound(f"{collection} has no versions in {stores.name}.")
        while infos:
            yield from ((collection, info.version) for info in infos)
            infos = queries.version_infos(stores.database, collection, after=infos[-1].version, limit=_PAGE)
        return
    version = queries.resolve_version(stores.database, collection, selector or "latest")
    if version is None:
        raise NotFound(f"{collection}:{selector or 'latest'} is not in {stores.name}. `headwater ls` lists what is.")
    yield collection, version


def _collections_of(stores: Stores, project: str) -> list[str]:
    found: list[str] = []
    page = queries.collections(stores.database, project, limit=_PAGE)
    while page:
        found += [info.collection for info in page]
        page = queries.collections(stores.database, project, after=found[-1], limit=_PAGE)
    return found
