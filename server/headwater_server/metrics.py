"""The server's figures for Prometheus. `docs/server.md` explains each."""

import time
from collections.abc import Callable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PREFIX = "headwater_server_"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)


class Metrics:
    """One server's. Each part of the service adds its own by `gauge`, `counter` and `histogram`."""

    MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = self.counter("requests", "Requests that were answered.", "method", "route", "status")
        self.seconds = self.histogram("request_seconds", "How long requests took.", _SECONDS, "route")
        self.open = self.gauge("open_requests", "Requests that are being answered, with waits and streams.")
        # To look for a labelled figure takes longer than to change it. There are as many as routes and statuses.
        self.count_of = cache(self.requests.labels)
        self.seconds_of = cache(self.seconds.labels)

    def counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(_PREFIX + name, words, labels, registry=self.registry)

    def histogram(self, name: str, words: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(_PREFIX + name, words, labels, buckets=buckets, registry=self.registry)

    def gauge(self, name: str, words: str, read: Callable[[], float] | None = None) -> Gauge:
        """`read` is asked for the value at each scrape."""
        gauge = Gauge(_PREFIX + name, words, registry=self.registry)
        if read is not None:
            gauge.set_function(read)
        return gauge

    def text(self) -> bytes:
        """All of them."""
        return generate_latest(self.registry)


class Measured:
    """Middleware that counts requests. A path that is no route counts as one, so that nobody fills the memory."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        begun_s = time.monotonic()
        self._metrics.open.inc()
        try:
            await self._app(scope, receive, noting)
        finally:
            self._metrics.open.dec()
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.count_of(scope["method"], route, status).inc()
            self._metrics.seconds_of(route).observe(time.monotonic() - begun_s)
