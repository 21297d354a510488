"""Statements that are compiled ahead are those that the code builds."""

import json

import pytest
from headwater_consumer import compiling_ahead
from headwater_consumer.database.ahead import file_name, texts_ahead


def test_the_texts_that_ship_are_those_of_the_statements_and_tables_in_the_code() -> None:
    for file, content in compiling_ahead.files().items():
        assert file.read_text() == content, f"{file.name} is old: run `python -m headwater_consumer.compiling_ahead`"


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_each_statement_is_found_by_its_name(dialect: str) -> None:
    file = next(file for file in compiling_ahead.files() if file.name == file_name(dialect))
    content = json.loads(file.read_text())
    texts = texts_ahead(dialect)

    assert texts.tables() == content["tables"]
    found = {name: texts.statement(name) for name in content["statements"]}
    assert found == {
        name: (sql, tuple(parameters), constants, tuple(columns))
        for name, (sql, parameters, constants, columns) in content["statements"].items()
    }
    assert texts.statement("tables") is texts.statement("no.such()") is None
