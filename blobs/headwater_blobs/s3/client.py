"""A client of a bucket, with its connections and the threads that use them, for one process after another.

A forked child cannot use its parent's sockets and threads, so it creates its own on first use.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import certifi
from headwater_runtime import fork_hooks
from headwater_runtime.proxies import UnsupportedProxy, connection_pool, proxy_for
from headwater_schemas.errors import InvalidSettings, StoreUnavailable
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from headwater_blobs.s3.minio_client import (
    AWSConfigProvider,
    ChainedProvider,
    Credentials,
    EnvAWSProvider,
    IamAwsProvider,
    Minio,
    Provider,
    StaticProvider,
)
from headwater_blobs.s3.settings import S3Settings

CONNECT_S_MAX = 5.0
ANSWER_S_MAX = 120.0  # between two bytes; a server that copies gigabytes sends none meanwhile
RETRIES = 4  # of one request; with BACKOFF_S these take about 3 seconds
BACKOFF_S = 0.2  # before the second retry, doubled each time
REQUESTS_AT_ONCE = 8  # threads of the pool; more were no faster with one server
PARTS_AT_ONCE = 4  # parts in memory, whatever the number of uploads in this process
MAPPED_AT_ONCE = 256  # requests given to the pool before the first responses are read
ROLE_S_MAX = 1.0  # to ask for a machine's role, which is answered in milliseconds where there is one

_BUSY = (500, 502, 503, 504)
_ROLE_VARIABLES = (
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
T = TypeVar("T")
R = TypeVar("R")


class BucketClient:
    """A bucket and the current process's connections to it. Safe to use from threads."""

    def __init__(
        self, settings: S3Settings, on_fork: Callable[[], None] = lambda: None, retries: int = RETRIES
    ) -> None:
        """`on_fork` is called in parent and child after a fork."""
        self.settings = settings
        self.damaged: set[str] = set()  # objects that the server breaks off, each time
        self._retries = retries
        self._on_fork = on_fork
        self._lock = threading.Lock()
        self._connections: _Connections | None = None
        fork_hooks.register_object(
            self, in_parent=BucketClient._after_fork_in_parent, in_child=BucketClient._after_fork_in_child
        )

    @property
    def client(self) -> Minio:
        return self._current().client

    @property
    def slots(self) -> threading.Semaphore:
        """One for each part that may be in memory."""
        return self._current().slots

    def submit(self, work: Callable[[], R]) -> "Future[R]":
        """Run `work` in a thread of the pool, or in this thread where the pool is closed."""
        try:
            return self._current().threads.submit(work)
        except RuntimeError:  # closed meanwhile, or the interpreter is ending
            done: Future[R] = Future()
            done.set_result(work())
            return done

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """`work` of each item, in order, REQUESTS_AT_ONCE at a time."""
        remaining = iter(items)
        while portion := list(islice(remaining, MAPPED_AT_ONCE)):
            if len(portion) == 1:
                yield work(portion[0])
            else:
                futures = [self.submit(lambda item=item: work(item)) for item in portion]  # type: ignore[misc]
                yield from (future.result() for future in futures)

    def close(self) -> None:
        """Close connections and threads. Further use opens new ones."""
        with self._lock:
            connections, self._connections = self._connections, None
        if connections is not None:
            connections.threads.shutdown(wait=False)
            connections.pool.clear()

    def _after_fork_in_parent(self) -> None:
        self._on_fork()

    def _after_fork_in_child(self) -> None:
        fork_hooks.keep_forever(
            self._connections
        )  # closing them would need locks that no thread of this process releases
        self._connections, self._lock = None, threading.Lock()
        self._on_fork()

    def _current(self) -> "_Connections":
        connections = self._connections
        if connections is None:
            with self._lock:
                connections = self._connections = self._connections or _Connections(self.settings, self._retries)
        return connections


class _Connections:
    """Connections and threads, which only one process can use."""

    def __init__(self, settings: S3Settings, retries: int) -> None:
        self.pool = _pool(settings, retries)
        self.client = Minio(
            settings.host,
            secure=settings.is_secure,
            region=settings.region,
            credentials=_keys(settings),
            http_client=self.pool,
        )
        self.threads = ThreadPoolExecutor(REQUESTS_AT_ONCE, "headwater-s3")
        self.slots = threading.Semaphore(PARTS_AT_ONCE)


class _AwsKeys(Provider):
    """Keys from where AWS tools find them: environment, profile, and the role of a machine or container."""

    def __init__(self, settings: S3Settings) -> None:
        providers: list[Provider] = [EnvAWSProvider(), AWSConfigProvider()]
        if _may_have_role(settings):
            quick = PoolManager(timeout=Timeout(connect=ROLE_S_MAX, read=ROLE_S_MAX), retries=Retry(1))
            providers.append(IamAwsProvider(http_client=quick))
        self._settings = settings
        self._chain = ChainedProvider(providers)

    def retrieve(self) -> Credentials:
        try:
            return self._chain.retrieve()
        except (ValueError, HTTPError, OSError) as error:  # no source has keys, or the one that has them failed
            raise StoreUnavailable(
                f"no keys were found for {self._settings}. Set the access key and the secret key of the store, or give "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in the AWS credentials file."
            ) from error


def without_keys(settings: S3Settings) -> PoolManager:
    """Connections to the endpoint of a bucket, for who asks as everybody can. Raises: InvalidSettings."""
    return _pool(settings, retries=1)


def _keys(settings: S3Settings) -> Provider:
    if settings.access_key and settings.secret_key:
        return StaticProvider(settings.access_key, settings.secret_key, settings.session_token)
    return _AwsKeys(settings)


def _may_have_role(settings: S3Settings) -> bool:
    """Whether it is worth the time to ask for a role."""
    host = settings.host.partition(":")[0]
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn")) or any(map(os.environ.get, _ROLE_VARIABLES))


def _pool(settings: S3Settings, retries: int) -> PoolManager:
    retry = Retry(
        total=retries,
        backoff_factor=BACKOFF_S,
        status_forcelist=_BUSY,
        allowed_methods=None,  # every request here may be sent twice
        raise_on_status=False,  # the last response tells more than "too many retries"
        respect_retry_after_header=False,  # a server that cannot read an object asks for a minute each time
    )
    timeout = Timeout(connect=CONNECT_S_MAX, read=ANSWER_S_MAX)
    authorities = os.environ.get("SSL_CERT_FILE") or certifi.where()
    try:
        proxy = proxy_for(f"{'https' if settings.is_secure else 'http'}://{settings.host}")
    except UnsupportedProxy as error:
        raise InvalidSettings(str(error)) from error
    return connection_pool(proxy, timeout=timeout, retries=retry, authorities=authorities)
