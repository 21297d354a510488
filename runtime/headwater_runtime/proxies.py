"""HTTP connections, through the proxy that the environment names for them."""

import urllib.request
from urllib.parse import urlsplit

from urllib3 import PoolManager, ProxyManager, Retry, Timeout
from urllib3.util import make_headers, parse_url

CONNECTIONS_KEPT = 16  # to one server: for eight threads, and as many of the caller's own


class UnsupportedProxy(ValueError):
    """The environment names a proxy that is neither http:// nor https://."""


def proxy_for(address: str) -> str | None:
    """The proxy that `http_proxy`, `https_proxy` and `no_proxy` name for a URL. Raises: UnsupportedProxy."""
    parts = urlsplit(address)
    if urllib.request.proxy_bypass(parts.netloc):
        return None
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy is None or "://" not in proxy:
        return proxy and f"http://{proxy}"
    if (kind := urlsplit(proxy).scheme) not in ("http", "https"):
        raise UnsupportedProxy(
            f"{parts.scheme}_proxy names a proxy that is neither http:// nor https:// but {kind[:40]}://. "
            "Name another, or list the host in no_proxy."
        )
    return proxy


def connection_pool(proxy: str | None, *, timeout: Timeout, retries: Retry, authorities: str) -> PoolManager:
    """Connections through `proxy`, or direct ones. `authorities` is a file of certificates to trust."""
    if proxy is None:
        return PoolManager(maxsize=CONNECTIONS_KEPT, timeout=timeout, retries=retries, ca_certs=authorities)
    login = parse_url(proxy).auth
    return ProxyManager(
        proxy,
        proxy_headers=make_headers(proxy_basic_auth=login) if login else None,
        maxsize=CONNECTIONS_KEPT,
        timeout=timeout,
        retries=retries,
        ca_certs=authorities,
    )
