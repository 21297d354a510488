"""How objects and lists show themselves in a notebook: as small tables of HTML, in which every text is escaped.

An object says what is known of it already: showing it waits for nothing.
"""

from collections.abc import Iterable, Mapping

TEXT_SHOWN_MAX = 300  # characters of one value


class NotebookView:
    """Shows itself as a table of its fields, and in a list as a row of one."""

    def _shown_fields(self) -> Mapping[str, str]:
        """Names and values, in order. All objects of a class have the same names; empty values may be left out."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        fields = {name: value for name, value in self._shown_fields().items() if value}
        return _table([f"<th>{_escaped(name)}</th><td>{_text(value)}</td>" for name, value in fields.items()])


def list_html(members: Iterable[object], count: int) -> str:
    """The first members of a list as a table, and how many more it has."""
    shown = [member._shown_fields() for member in members if isinstance(member, NotebookView)]
    if not shown:
        return "<p>nothing</p>"
    header = "".join(f"<th>{_escaped(name)}</th>" for name in shown[0])
    rows = ["".join(f"<td>{_text(value)}</td>" for value in fields.values()) for fields in shown]
    more = f"<p>and {count - len(rows):,} more</p>" if count > len(rows) else ""
    return _table([header, *rows]) + more


def _table(rows: Iterable[str]) -> str:
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def _text(value: str) -> str:
    return _escaped(value if len(value) <= TEXT_SHOWN_MAX else f"{value[:TEXT_SHOWN_MAX]}…")


def _escaped(text: str) -> str:
    from html import escape  # deferred: 0.3 MB of names of characters, and few processes are notebooks

    return escape(text)
