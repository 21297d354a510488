"""How tests are dealt out to the workers, as a plugin: as by `--dist loadgroup`, and on to the end when a worker ends.

xdist 3.8.0 deals out the tests that an ended worker had completed once more, as nothing: the workers then wait for ever
(pytest-xdist issues 1323, 1327 and 1378). It also repeats the test that ended the worker, which ends the next.
"""

from collections.abc import Sequence

import pytest
from xdist.scheduler import LoadGroupScheduling
from xdist.workermanage import WorkerController


class Scheduling(LoadGroupScheduling):
    """Units of tests, in order; what an ended worker had not begun is done by the others."""

    def remove_node(self, node: WorkerController) -> str | None:
        """The test that the worker was running when it ended, if it was running any."""
        units = {scope: unit for scope, unit in self.assigned_work.pop(node).items() if not all(unit.values())}
        if not units:
            return None
        unit = next(iter(units.values()))
        running: str = next(test for test, is_done in unit.items() if not is_done)
        unit[running] = True
        self.workqueue.update({scope: unit for scope, unit in units.items() if not all(unit.values())})
        for other in self.assigned_work:
            self._reschedule(other)
        return running

    def _reschedule(self, node: WorkerController) -> None:
        super()._reschedule(node)
        # A worker begins a test when it has another, or has been told that there is none.
        if not node.shutting_down and self._pending_of(self.assigned_work[node]) == 1:
            super()._reschedule(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Sequence[str]) -> Scheduling | None:
    """Take the place of xdist's own."""
    return Scheduling(config, log) if config.getoption("dist") == "loadgroup" else None
