"""How pages say numbers, sizes, moments and messages."""

import pytest
from headwater_server.web import words

NOW_US = 1_800_000_000_000_000
DAY_S = 86_400


@pytest.mark.parametrize(
    ("bytes_", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1_234_567, "1.2 MB"),
        (5 * 1000**5, "5.0 PB"),
        (12_345 * 1000**5, "12,345 PB"),
    ],
)
def test_a_size_is_said_with_few_digits_and_its_unit(bytes_: int, said: str) -> None:
    assert words.size(bytes_) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "just now"),
        (44, "just now"),
        (45, "1 minute ago"),
        (119, "1 minute ago"),
        (120, "2 minutes ago"),
        (3600, "1 hour ago"),
        (DAY_S, "1 day ago"),
        (29 * DAY_S, "29 days ago"),
        (30 * DAY_S, "1 month ago"),
        (364 * DAY_S, "12 months ago"),
        (365 * DAY_S, "1 year ago"),
        (10_000 * 365 * DAY_S, "10,000 years ago"),
    ],
)
def test_a_moment_is_said_by_how_long_ago_it_was(seconds: int, said: str) -> None:
    assert words.since(NOW_US - seconds * 1_000_000, NOW_US) == said


def test_the_exact_time_is_there_for_who_points_at_it_and_for_programs() -> None:
    assert words.moment(NOW_US).startswith('<time datetime="2027-01-15T08:00:00.000Z" title="2027-01-15 08:00:00 UTC">')
    assert words.moment(None) == '<span class="none">never</span>'
    assert words.moment(2**62) == f"<span>{words.date(2**62)}</span>"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (59.9, "59.9 s"),
        (59.96, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (360_000, "4 d 4 h"),
    ],
)
def test_a_duration_is_said_with_two_units_at_most(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


def test_numbers_are_grouped_and_counting_that_stopped_is_said() -> None:
    assert words.counted(1, "version") == "1 version"
    assert words.counted(12_345, "entry", "entries") == "12,345 entries"
    assert words.number(10_000, most=10_000) == "10,000 or more"
    assert words.number(9_999, most=10_000) == "9,999"


def test_a_message_is_a_sentence_in_which_nothing_is_html_but_what_is_typed() -> None:
    assert words.told("run `headwater ui <x>` in <b>") == "Run <code>headwater ui &lt;x&gt;</code> in &lt;b&gt;"
    assert words.told("") == ""
