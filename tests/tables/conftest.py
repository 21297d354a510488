"""The same stores as for the rest of the SDK, for the tests that need one."""

from tests.sdk.conftest import mode as mode
from tests.sdk.conftest import store as store
