"""The points at which faults happen are functions of the product, by name."""

import pytest

from tests.faults import at_point
from tests.service_faults import at_point as on_servers

POINTS = {**at_point.POINTS, **on_servers.POINTS}


@pytest.mark.parametrize("point", POINTS)
def test_a_point_is_a_function_that_is_there(point: str) -> None:
    owner, name = at_point.owner_and_name(POINTS[point])

    assert callable(getattr(owner, name))
    assert name in vars(owner), "where it is looked up, or wrapping it changes nothing"
