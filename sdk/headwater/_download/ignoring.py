"""Which names of a folder are left alone when it is compared with a version: those that a scan of it would leave out.

A folder that is ignored is not entered unless the version has something in it. What is left out of every folder, such
as `.git`, is not ignored where the version has it: it was asked for.
"""

from collections.abc import Callable, Mapping, Sequence

from headwater_stores.config.store_folder import is_store

from headwater._ingest.ignore import IGNORE_FILE, NO_RULES, IgnoreRules, read_ignore_file, rules_of
from headwater._ingest.own_files import GIT, is_own_cache

Rules = tuple[IgnoreRules, ...]  # a name is ignored where one of them says so


class Ignoring:
    """The rules for one walk through a folder."""

    def __init__(
        self,
        patterns: Sequence[str],
        has_folder: Callable[[str], bool],
        *,
        earlier: Mapping[str, bytes] | None = None,
        own: bool = True,
    ) -> None:
        """`patterns` are the caller's, and `has_folder` says whether the version has anything in a folder.

        `earlier`: ignore files that were there before, by folder; what they say counts, too. `own`: what is left out of
        every folder is ignored.
        Raises: InvalidInput for a pattern.
        """
        self.files: dict[str, bytes] = {}  # the ignore files that were found, by folder
        self.has_folder = has_folder
        self._earlier = earlier or {}
        self._own = own
        self.rules: Rules = (rules_of(patterns) or NO_RULES,) * 2

    def enter(self, path: str, location: str, descriptor: int, rules: Rules) -> Rules:
        """The rules in a folder, whose parent has `rules`. Raises: InvalidFile for an ignore file that holds none."""
        at = f"{location}/{IGNORE_FILE}"
        content = read_ignore_file(at, IGNORE_FILE, descriptor)
        if content is not None:
            self.files[path] = content
        now, before = (
            one if text is None else one.with_file(path, text, at)
            for one, text in zip(rules, (content, self._earlier.get(path)), strict=True)
        )
        return now, before

    def ignores(self, path: str, folder: str, rules: Rules, *, is_folder: bool) -> bool:
        """Whether something in the folder at the location `folder` is ignored there."""
        verdicts = {one.verdict(path, is_folder=is_folder) for one in rules}
        if True in verdicts or False in verdicts or not self._own:
            return True in verdicts
        return self._is_own(path, folder, is_folder=is_folder) and not (is_folder and self.has_folder(path))

    def _is_own(self, path: str, folder: str, *, is_folder: bool) -> bool:
        name = path.rpartition("/")[2]
        is_own_store = is_folder and is_store(f"{folder}/{name}")
        return name == GIT or is_own_store or is_own_cache(folder, name, is_folder=is_folder)
