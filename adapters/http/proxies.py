"""What the environment says about proxies, as patterns of URLs: the rules of curl, as httpx writes them.

HTTP_PROXY, HTTPS_PROXY and ALL_PROXY name a proxy for a scheme, NO_PROXY the hosts that are asked directly: a domain
(with what is below it, or only that when it begins with a dot), an address, `localhost`, or `*` for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

SCHEMES = ("http", "https", "all")


def patterns(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Return which URLs go to which proxy, or to none, from what `urllib.request.getproxies` found."""
    none = [host for host in (each.strip() for each in environment.get("no", "").split(",")) if host]
    if "*" in none:
        return {}
    found: dict[str, str | None] = {}
    for scheme in SCHEMES:
        proxy = environment.get(scheme)
        if proxy:
            found[f"{scheme}://"] = proxy if "://" in proxy else f"http://{proxy}"
    if found:
        found.update(dict.fromkeys(map(_direct, none)))
    return found


def _direct(host: str) -> str:
    """Return the pattern for an entry of NO_PROXY."""
    if "://" in host:
        return host
    try:
        address = ip_address(host.strip("[]").partition("/")[0])
    except ValueError:
        return f"all://{host}" if host.lower() == "localhost" else f"all://*{host}"
    return f"all://[{address}]" if address.version == 6 else f"all://{address}"
