"""Write the table of limits into `docs/formats.md`: run `python -m tests.schemas.make_limits_table` after a change."""

from pathlib import Path

from headwater_schemas.limits import LIMITS

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
START, END = "<!-- limits: written by tests.schemas.make_limits_table -->\n", "<!-- end of limits -->\n"


def table() -> str:
    """The table as the page shows it."""
    rows = [f"| {limit.subject} | {limit.most:,} | {limit.unit} |" for limit in LIMITS]
    return "\n".join(["| what | at most | unit |", "| --- | --- | --- |", *rows]) + "\n"


def with_table(page: str) -> str:
    """`page` with the table between its marks."""
    before, _, rest = page.partition(START)
    _, end, after = rest.partition(END)
    assert end, f"{PAGE.name} has no place for the limits"
    return f"{before}{START}\n{table()}\n{END}{after}"


def main() -> None:
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
