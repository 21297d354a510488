"""What a principal may do, as of one moment: its roles, within the scope of its token."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from headwater_schemas.access import ADMIN, WRITER, entity_of, higher, includes


@dataclass(frozen=True, slots=True)
class Rights:
    """Roles by scope, of which only those within one scope count."""

    roles: Mapping[str, str]  # an entity or "entity/project" → the role that was granted there
    within: str | None = None  # the scope of a token; None: everywhere

    @classmethod
    def of(cls, grants: Iterable[tuple[str, str]], within: str | None = None) -> "Rights":
        """`grants` are pairs of scope and role; of several in one scope the highest counts."""
        roles: dict[str, str] = {}
        for scope, role in grants:
            roles[scope] = higher(roles.get(scope), role) or role
        return cls(roles, within)

    def role_in(self, scope: str) -> str | None:
        """The role in an entity, or in "entity/project", where that of its entity counts, too."""
        if self.within not in (None, scope, entity_of(scope)):
            return None
        return higher(self.roles.get(scope), self.roles.get(entity_of(scope)))

    def may(self, role: str, scope: str) -> bool:
        """Whether this role, or a higher one, is held in a scope."""
        return includes(self.role_in(scope), role)

    def may_begin(self, project: str) -> bool:
        """Whether the first thing may be logged in "entity/project".

        By who is admin of its entity, or has a role in this very project: an admin gave that for it to begin.
        """
        if self.may(ADMIN, entity_of(project)):
            return True
        return self.may(WRITER, project) and includes(self.roles.get(project), WRITER)

    def scopes(self, role: str) -> Sequence[str]:
        """The scopes in which this role, or a higher one, is held, each once. An entity stands for its projects."""
        if self.within is not None and "/" in self.within:
            return [self.within] if self.may(role, self.within) else []
        return sorted(scope for scope in self.roles if self.may(role, scope))
