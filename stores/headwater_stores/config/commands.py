"""Commands that messages name: they can be pasted as they stand, whatever the settings are."""

LIST_PROJECTS = "`headwater ls --projects` lists the projects of this store"


def in_project(command: str, project: str) -> str:
    """`headwater COMMAND` for "entity/project"."""
    entity, _, name = project.partition("/")
    return f"headwater {command} --entity {entity} --project {name}"
