"""Web pages that send requests to an open server through the browsers of its machine."""

from urllib.parse import urlsplit

import pytest

from tests.support.serving import ServerProcess

RUNS = "/v1/projects/team/animals/runs"
START = b'{"id": "r1", "job_type": "train"}'


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "http://[::1"])
def test_a_page_of_another_site_reads_and_writes_nothing(open_server: ServerProcess, origin: str) -> None:
    page = {"Origin": origin, "Content-Type": "text/plain"}

    assert open_server.ask("POST", RUNS, START, headers=page).status == 403
    assert open_server.ask("GET", "/v1/projects", headers=page).status == 403
    assert open_server.get(RUNS)["items"] == []


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8470", "127.0.0.1.evil.example", "0.0.0.0", "127.0.0.1:x", "127.0.0.1:99999"]
)
def test_a_name_that_was_made_to_lead_here_is_not_this_server(open_server: ServerProcess, host: str) -> None:
    answer = open_server.ask("GET", "/v1/projects", headers={"Host": host})

    assert (answer.status, answer.json["reason"]) == (403, "forbidden")


def test_the_machine_itself_is_let_in_by_all_its_names(open_server: ServerProcess) -> None:
    port = urlsplit(open_server.url).port
    for host in ("127.0.0.1", "localhost", "[::1]"):
        own = {"Host": f"{host}:{port}", "Origin": f"http://{host}:{port}"}
        assert open_server.ask("GET", RUNS, headers=own).status == 200
