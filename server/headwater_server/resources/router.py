"""All resources for people: a router for each subject, those first that are asked most."""

from headwater_server.resources import access, artifacts, contents, differences, lineage, projects, runs, search
from headwater_server.resources.writing import access as access_writes
from headwater_server.resources.writing import commits, edits, run_writes

ROUTERS = tuple(
    part.router
    for part in (
        artifacts,
        runs,
        contents,
        projects,
        lineage,
        differences,
        search,
        commits,
        edits,
        run_writes,
        access,
        access_writes,
    )
)
