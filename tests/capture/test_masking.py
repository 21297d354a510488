"""No secret of a command line or a URL comes through, and what is none does."""

import time

import pytest
from headwater._run.capture.masking import TEXT_LENGTH_MAX, masked

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        (f"https://ada:{SECRET}@example.org/x.git", "https://example.org/x.git"),
        (f"https://{SECRET}@example.org/x.git", "https://example.org/x.git"),
        (f"https://ada:p@{SECRET}@example.org", "https://example.org"),
        (f"https://ada:a/{SECRET}@b@example.org/x", "https://example.org/x"),
        (f"--url=postgresql://ada:{SECRET}@db:5432/x", "--url=postgresql://db:5432/x"),
        (f"git+ssh://ada:{SECRET}@example.org:22/x", "git+ssh://example.org:22/x"),
        (f"https://h/x?a=1&access_token={SECRET}&b=2", "https://h/x?a=1&access_token=***&b=2"),
        (f"https://h:80/x?X-Amz-Signature={SECRET}", "https://h:80/x?X-Amz-Signature=***"),
        (f"postgresql://db/x?user=a&password={SECRET}", "postgresql://db/x?user=a&password=***"),
        (f"ada:{SECRET}@proxy.example.org:8080", "ada:***@proxy.example.org:8080"),
    ],
)
def test_credentials_in_urls_are_removed(word: str, shown: str) -> None:
    assert masked([word]) == [shown]


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        (f"--token={SECRET}", "--token=***"),
        (f"--api-key={SECRET} with {SECRET}&{SECRET}", "--api-key=***"),
        (f"password={SECRET}", "password=***"),
        (f"AWS_SECRET_ACCESS_KEY={SECRET}", "AWS_SECRET_ACCESS_KEY=***"),
        (f"+db.password={SECRET}", "+db.password=***"),
        (f"dbpassword={SECRET}", "dbpassword=***"),
        (f"openaiApiKey={SECRET}", "openaiApiKey=***"),
        (f"API_KEY_OPENAI={SECRET}", "API_KEY_OPENAI=***"),
        (f"Authorization: Bearer {SECRET}", "Authorization: ***"),
        (f'{{"password": "{SECRET} {SECRET}", "n": 1}}', '{"password": ***, "n": 1}'),
        (f"{{'token': '{SECRET}', 'n': 1}}", "{'token': ***, 'n': 1}"),
        (f"lr=0.1 token={SECRET} n=1", "lr=0.1 token=*** n=1"),
        (f"host=db password={SECRET}", "host=db password=***"),
        (f"run --token {SECRET} --lr 1", "run --token *** --lr 1"),
        (f"import os; os.environ['API_TOKEN'] = '{SECRET}'; f()", "import os; os.environ['API_TOKEN'] = ***; f()"),
        (f"login(password='{SECRET}', user='ada')", "login(password=***, user='ada')"),
        (f"curl -H 'X-Auth-Token: {SECRET}' h", "curl -H 'X-Auth-Token: ***' h"),
    ],
)
def test_values_after_names_of_secrets_are_masked(word: str, shown: str) -> None:
    assert masked([word]) == [shown]


@pytest.mark.parametrize(
    "option",
    ["--token", "--api-key", "-password", "--apiKey", "--hf_token", "--Secret", "--key", "--passphrase", "--pwd"],
)
def test_the_word_after_an_option_of_a_secrets_name_is_masked(option: str) -> None:
    assert masked(["train.py", option, SECRET, "data.csv"]) == ["train.py", option, "***", "data.csv"]
    assert masked([option, f"-{SECRET}"]) == [option, "***"]
    assert masked([option, "--lr", "3"]) == [option, "--lr", "3"]
    assert masked([option]) == [option]


def test_a_bare_name_of_a_secret_hides_the_word_after_it_and_two_dashes_hide_nothing() -> None:
    assert masked(["login", "password", SECRET, "data.csv"]) == ["login", "password", "***", "data.csv"]
    assert masked(["login", "tokens", SECRET, "data.csv"]) == ["login", "tokens", "***", "data.csv"]
    assert masked(["--secret", "--", SECRET, "data.csv"]) == ["--secret", "--", "***", "data.csv"]
    assert masked(["train.py", "tokens.csv", "data.csv"]) == ["train.py", "tokens.csv", "data.csv"]


def test_an_option_of_several_secrets_hides_all_words_up_to_the_next_option() -> None:
    assert masked(["--api-keys", SECRET, SECRET, "--lr", "3"]) == ["--api-keys", "***", "***", "--lr", "3"]


@pytest.mark.parametrize(
    "text",
    [
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "github_pat_11ABCDEFG0abcdefghijkl",
        "glpat-abcdefghijklmnopqrst",
        "hf_abcdefghijklmnopqrstuvwxyz",
        "hw_0123456789abcdefghijklmnop",
        "sk-proj-abcdefghijklmnopqrstuvwxyz",
        "AKIAIOSFODNN7EXAMPLE",
        "xoxb-123456789012-abcdefghijkl",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.abcdefghijkl",
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_looks_like_an_issued_credential_is_masked_wherever_it_stands(text: str) -> None:
    assert masked([text, f"push({text})"]) == ["***", "push(***)"]


@pytest.mark.parametrize(
    "word",
    [
        *("train.py", "--lr=0.1", "key", "--monkey=1", "--keyframes=3", "--tokenizer=bert", "--key-dim=64", "C:\\keys"),
        *("--max-tokens=512", "--num_tokens=1_000", "--token-file=/run/token", "--password_file=x", "tokens.csv"),
        *("https://example.org/a@v1", "http://h:8080/a@b", "git@example.org:team/token.git", "s3://bucket/key/a:b"),
        *("model:v3", "team/vision/digits:best", "python:3.11@sha256:abcdef", "a=b:c", "x" * 60, "größe=3", ""),
    ],
)
def test_what_is_no_secret_stays(word: str) -> None:
    assert masked(["python", word]) == ["python", word]


def test_a_number_of_tokens_stays_and_so_do_the_words_after_it() -> None:
    words = ["--max-tokens", "512", "data.csv", "--key-dim", "64"]

    assert masked(words) == words


@pytest.mark.parametrize("piece", ["a", "a:", "a=", "key=", "://", "a@", "'", '"key": "', "eyJaaaaaa.", "- "])
def test_a_hostile_text_costs_no_more_than_its_length(piece: str) -> None:
    started_s = time.process_time()

    (shown,) = masked([piece * TEXT_LENGTH_MAX])

    assert len(shown) <= TEXT_LENGTH_MAX + 3
    assert time.process_time() - started_s < 5  # seconds; a pattern that tries everything takes minutes
