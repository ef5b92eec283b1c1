"""The cookies of an exchange: those of the user's file, and what the redirects of this one exchange set.

Which of them goes where is decided by the standard library's jar: by domain, path, `secure` and expiry; a cookie of one
host alone goes to that host alone. What a redirect sets is for the later requests of its own exchange, as a login that
sends one back to the file wants it; it is never written down and never seen by another exchange.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from http.cookiejar import CookieJar, DefaultCookiePolicy, LoadError, MozillaCookieJar

import httpx

from lading.adapters.http import userfiles
from lading.adapters.http.discretion import unheard
from lading.adapters.http.plain import Fields
from lading.domain.errors import InvalidSetting

HINT = "export it again in Netscape format; `lading config` shows where it is named, `lading config unset` forgets it"


class Cookies:
    """Some cookies, never changed; `repr` does not tell them."""

    def __init__(self, jar: CookieJar) -> None:
        self._jar = jar

    @classmethod
    def none(cls) -> Cookies:
        """Return no cookies."""
        return cls(CookieJar(_policy()))

    @classmethod
    def of_file(cls, path: str) -> Cookies:
        """Return the cookies of a cookies.txt in Netscape format, those of a browser's session included.

        Raises:
            InvalidSetting: it is not there, or cannot be read or understood.
        """
        jar = MozillaCookieJar(policy=_policy())
        try:
            userfiles.check(path)
            with _unwarned():
                jar.load(path, ignore_discard=True, ignore_expires=True)
        except LoadError:
            trouble = "is no cookies.txt in Netscape format, or a line of it cannot be understood"
        except OSError as error:
            trouble = f"cannot be read: {error.strerror or type(error).__name__}"
        except ValueError:
            trouble = "is not text"
        else:
            return cls(_mended(jar))
        raise InvalidSetting(f"the file of cookies {path} {trouble}", hint=HINT)

    def __len__(self) -> int:
        return len(self._jar)

    def add_to(self, request: httpx.Request) -> None:
        """Add the cookies that are meant for a request to its headers."""
        with unheard():
            httpx.Cookies(self._jar).set_cookie_header(request)

    def after(self, fields: Fields, request: httpx.Request) -> Cookies:
        """Return these cookies as the fields of an answer to a request change them."""
        jar = CookieJar(_policy())
        for cookie in self._jar:
            jar.set_cookie(cookie)
        response = httpx.Response(200, headers=list(fields), request=request)
        with _unwarned(), unheard():
            httpx.Cookies(jar).extract_cookies(response)
        return Cookies(jar)


@contextlib.contextmanager
def _unwarned() -> Iterator[None]:
    """Keep the jar from warning of what it cannot understand: it would quote it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _policy() -> DefaultCookiePolicy:
    return DefaultCookiePolicy(strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain)


def _mended(read: CookieJar) -> CookieJar:
    """Return what was read as the jar itself would have it.

    To browsers, curl and wget an expiry of 0 means the session; and the jar calls a host without a dot NAME.local.
    """
    jar = CookieJar(_policy())
    for cookie in read:
        cookie.expires = cookie.expires or None
        cookie.domain = cookie.domain.lower()
        if "." not in cookie.domain:
            cookie.domain += ".local"
        if not cookie.is_expired():
            jar.set_cookie(cookie)
    return jar
