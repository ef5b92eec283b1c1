"""What the environment says about proxies, by the rules of curl.

HTTP_PROXY, HTTPS_PROXY and ALL_PROXY name a proxy for a scheme. NO_PROXY lists the hosts that are asked directly: a
domain with all that is below it, an address or a network, or `*` for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network


class Proxies:
    """Which proxy a host is asked through.

    Args:
        environment: what `urllib.request.getproxies` found: proxies by scheme or `all`, and under `no` who needs none.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._by_scheme = {
            scheme: proxy if "://" in proxy else f"http://{proxy}"
            for scheme, proxy in environment.items()
            if scheme in {"http", "https", "all"} and proxy
        }
        self._direct = [each for each in (each.strip() for each in environment.get("no", "").split(",")) if each]

    @property
    def all(self) -> frozenset[str]:
        """The URLs of all proxies that may be asked."""
        return frozenset(self._by_scheme.values())

    def of(self, scheme: str, host: str) -> str | None:
        """Return the URL of the proxy through which a host is asked, or None when it is asked directly."""
        proxy = self._by_scheme.get(scheme, self._by_scheme.get("all"))
        if proxy is None or any(_means(each, host) for each in self._direct):
            return None
        return proxy


def _means(entry: str, host: str) -> bool:
    """Tell whether an entry of NO_PROXY means this host."""
    if entry == "*":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        domain = entry.lower().strip(".")
        return f".{host.lower().rstrip('.')}".endswith(f".{domain}")
    try:
        return address in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False
