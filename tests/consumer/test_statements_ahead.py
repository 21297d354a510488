"""Statements that are compiled ahead are those that the code builds."""

from headwater_consumer import compiling_ahead


def test_the_texts_that_ship_are_those_of_the_statements_and_tables_in_the_code() -> None:
    for file, content in compiling_ahead.files().items():
        assert file.read_text() == content, f"{file.name} is old: run `python -m headwater_consumer.compiling_ahead`"
