"""Requests out of options: what `get` and `add` have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lading.tools.cli import addresses, destinations, unseen
from lading.tools.cli.units import SIZE

if TYPE_CHECKING:
    from lading.domain.requests import Request

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("-o", "--output", "path", metavar="FILE", help="The file to make; for one URL."),
    click.option("-d", "--dir", "folder", metavar="DIR", help="The folder to put files in. [default: the current one]"),
    click.option("--digest", metavar="ALGORITHM:HEX", help="What the file must have; for one URL."),
    click.option("--connections", type=int, metavar="N", help="At most so many connections for one file."),
    click.option("--mirror", "mirrors", multiple=True, metavar="URL", help="Another place of the file; for one URL."),
    click.option("--limit-rate", type=SIZE, metavar="SIZE", help="Bytes a second at most, such as 500K or 2M."),
    click.option("--priority", type=int, default=0, metavar="N", help="Higher runs first. [default: 0]"),
    click.option("--tag", "tags", multiple=True, metavar="T", help="A tag; may be given again."),
    click.option(
        "--retries",
        type=int,
        metavar="N",
        help="More attempts after failures that may pass, counted anew once more has arrived.",
    ),
    click.option(
        "--header",
        "headers",
        multiple=True,
        metavar="'K: V'|@FILE",
        help="A request header, kept in the vault; @FILE has one a line, @- is stdin.",
    ),
    click.option(
        "--if-exists",
        type=click.Choice(["fail", "skip", "rename", "overwrite"]),
        default="fail",
        help="What to do when the file is there. [default: fail]",
    ),
    click.option(
        "--resume",
        type=click.Choice(["strict", "lenient"]),
        default="strict",
        help="What proves that a half file is still the same one. [default: strict]",
    ),
    click.option("--allow-unsized", is_flag=True, help="Accept a body whose end nothing vouches for."),
    click.option(
        "--key", metavar="TEXT", help="Your name for this download: asking again gives the same; for one URL."
    ),
    click.option("--show-query", multiple=True, metavar="NAME", help="A query parameter whose name the log may show."),
    click.option("--secret-path", is_flag=True, help="The path of the URL holds a token: keep it in the vault."),
    click.option(
        "--no-cache",
        "cache",
        is_flag=True,
        callback=lambda _, __, value: not value,
        help="Fetch it anew, whatever is kept of it, and keep nothing.",
    ),
)
_ANY = "http://localhost/"
_OF_ONE = {"path": "-o", "digest": "--digest", "mirrors": "--mirror", "key": "--key"}


def request_options(function: F) -> F:
    """Give a verb the options of a request."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def shared_request_options(function: F) -> F:
    """Give a verb those options of a request that several may share."""
    known = vars(request_options(lambda: None))["__click_params__"]
    mine = vars(function).setdefault("__click_params__", [])
    mine += [option for option in known if option.name not in _OF_ONE]
    return function


class Asked:
    """The options of one call, which every URL of it shares.

    Raises:
        UsageError: an option cannot be meant, or names one file and there may be several.
    """

    def __init__(self, options: dict[str, Any], *, several: bool) -> None:
        from lading.domain.errors import UsageError

        if several:
            for name, option in _OF_ONE.items():
                if options[name]:
                    raise UsageError(f"{option} is for one URL, and there are several", hint="ask for them one by one")
        self._any = self._checked({**options, "headers": headers_of(options["headers"])})
        destinations.check(options["path"], options["folder"], options["if_exists"])

    def request(self, url: str) -> Request:
        """Return the request for a URL; `-` is the one on the next line of stdin.

        Raises:
            UsageError: the URL or an option cannot be meant.
        """
        from lading.domain.errors import InvalidURL

        url = unseen.address(url)
        try:
            return self._any.at(url)
        except InvalidURL as error:
            raise addresses.explain(url, error) from None

    @staticmethod
    def _checked(options: dict[str, Any]) -> Request:
        """Return a request with these options, for any URL."""
        from lading.domain import urls
        from lading.domain.errors import InvalidURL
        from lading.domain.requests import Request

        for address in options["mirrors"]:
            try:
                urls.check(address)
            except InvalidURL as error:
                raise addresses.explain(address, error) from None
        return Request(_ANY, **options)


def headers_of(given: tuple[str, ...]) -> dict[str, str]:
    """Return the headers that were given, each as it is or by `@FILE`.

    Raises:
        UsageError: one of them is none, or is given twice.
    """
    from lading.domain.errors import InvalidSetting

    headers: dict[str, str] = {}
    for line in unseen.headers(given):
        name, colon, value = line.partition(":")
        name = name.strip()
        if not colon or not name:
            raise InvalidSetting("a header has a name and a colon", hint="give it as --header 'Name: value'")
        if name.lower() in {known.lower() for known in headers}:
            raise InvalidSetting(f"the header {name} is given twice", hint="join its values with commas")
        headers[name] = value.strip()
    return headers
