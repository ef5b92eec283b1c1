"""Logins for hosts out of the user's netrc file, by the name of the host.

Only a host that the file names gets its login. The entry `default` is left alone: it means every host, and with it
whichever a redirect leads to. What was read is kept in here; neither its repr nor any message of ours quotes it.
"""

from __future__ import annotations

import netrc
import os
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from lading.adapters.http import userfiles
from lading.domain.errors import InvalidSetting

HINT = "mend the file, or do without it: `lading config set netrc off`"


class Logins:
    """The logins of a netrc file; without a path, of the one in the home folder, which nobody else may read.

    A file that is not there holds none, nor does one in a home folder that we may not enter.

    Raises:
        InvalidSetting: it is there and cannot be read or understood.
    """

    def __init__(self, path: str | None = None) -> None:
        self._by_host = {host.lower(): login for host, login in _read(path).items() if host != "default"}

    def __len__(self) -> int:
        return len(self._by_host)

    def authorization(self, url: str) -> str | None:
        """Return what to say as Authorization to the host of a URL, None when the file does not name it (RFC 7617)."""
        login = self._by_host.get(urlsplit(url).hostname or "")
        if login is None:
            return None
        user, account, password = login
        said = f"{user or account or ''}:{password or ''}"
        return f"Basic {b64encode(said.encode()).decode('ascii')}"


def _read(path: str | None) -> Mapping[str, tuple[str, str | None, str | None]]:
    shown = Path("~/.netrc") if path is None else Path(path)
    trouble: str | None
    try:
        userfiles.check(os.path.expanduser(shown))
        return netrc.netrc(path).hosts
    except FileNotFoundError:
        return {}
    except PermissionError as error:
        if path is None:  # a home folder that is somebody else's, as under sudo or a service's user
            return {}
        trouble = f"cannot be read: {error.strerror}"
    except netrc.NetrcParseError as error:
        where = "belongs to somebody else, or others may read it"
        trouble = where if error.lineno is None else f"cannot be understood at line {error.lineno}"
    except OSError as error:
        trouble = f"cannot be read: {error.strerror or type(error).__name__}"
    except ValueError:
        trouble = "is not text"
    raise InvalidSetting(f"the netrc file {shown} {trouble}", hint=HINT)
