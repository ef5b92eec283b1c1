"""Who is told something by us, as people name him in settings: a program with its arguments, or a URL."""

from __future__ import annotations

import shlex

from lading.domain import urls
from lading.domain.errors import InvalidSetting, InvalidURL


def check_url(url: str, whose: str) -> None:
    """Refuse a URL that nothing can be posted to; `whose` it is, people are told, and not what it is.

    Raises:
        InvalidSetting: it is none.
    """
    try:
        urls.check(url)
    except InvalidURL as error:
        raise InvalidSetting(f"the url of {whose} cannot be used: {error.message}", hint=error.hint) from None


def words(command: str, whose: str) -> list[str]:
    """Return a program and its arguments, which are written as for a shell; none takes part.

    Raises:
        InvalidSetting: a quote is left open, or there is nothing.
    """
    try:
        found = shlex.split(command)
    except ValueError as error:
        raise InvalidSetting(
            f"the command of {whose} cannot be split: {str(error).lower()}", hint="close the quotes"
        ) from None
    if not found:
        raise InvalidSetting(f"the command of {whose} is empty", hint="name a program")
    return found
