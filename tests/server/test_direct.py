"""The routes that clients ask with each commit pass by the framework, and are like all others nevertheless."""

import pytest

from tests.support.serving import ServerProcess

DIRECT = [("GET", "/v1/me"), ("POST", "/v1/submit"), ("POST", "/v1/wait"), ("POST", "/v1/outcomes")]


@pytest.mark.parametrize(("method", "path"), DIRECT)
def test_they_are_in_the_document(recorded_server: ServerProcess, method: str, path: str) -> None:
    operation = recorded_server.get("/v1/openapi.json")["paths"][path][method.lower()]
    assert operation["security"] == [{"token": []}]


@pytest.mark.parametrize(("method", "path"), DIRECT)
def test_a_parameter_that_none_of_them_knows_is_refused(recorded_server: ServerProcess, method: str, path: str) -> None:
    answer = recorded_server.ask(method, f"{path}?misspelt=1")
    assert (answer.status, answer.json["reason"]) == (400, "invalid")
    assert "misspelt" in answer.json["detail"]


@pytest.mark.parametrize(("method", "path"), DIRECT)
def test_another_method_is_answered_with_theirs(recorded_server: ServerProcess, method: str, path: str) -> None:
    answer = recorded_server.ask("DELETE", path)
    assert (answer.status, answer.headers["allow"]) == (405, method)


def test_an_error_of_theirs_has_the_one_shape(recorded_server: ServerProcess) -> None:
    answer = recorded_server.ask("POST", "/v1/submit", body=b"no submission")
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json["thing"] == "/v1/submit"


def test_they_are_counted_under_their_names(open_server: ServerProcess) -> None:
    assert open_server.get("/v1/me")["principal"]
    open_server.ask("POST", "/v1/submit", body=b"no submission")
    figures = open_server.ask("GET", "/metrics").body.decode()
    assert 'headwater_server_requests_total{method="GET",route="/me",status="200"} 1.0' in figures
    assert 'headwater_server_requests_total{method="POST",route="/submit",status="400"} 1.0' in figures
