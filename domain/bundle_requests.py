"""What the user wants of several downloads together, checked when it is made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from lading.domain.bundle import BundlePolicy
from lading.domain.errors import InvalidDestination, InvalidSetting
from lading.domain.names import FALLBACK, clean
from lading.domain.requests import IfExists, Request

MOST_MEMBERS = 10_000
LONGEST_NAME = 128
_TAKEN_BACK = frozenset({IfExists.FAIL, IfExists.RENAME})


def _requests(value: Iterable[Request]) -> tuple[Request, ...]:
    return tuple(value)


def _policy(value: str) -> BundlePolicy:
    try:
        return BundlePolicy(value)
    except ValueError:
        raise InvalidSetting(f"there is no policy {value!r}", hint=f"one of {', '.join(BundlePolicy)}") from None


@attrs.frozen
class BundleRequest:
    """What the user wants of several downloads together. Immutable; checked when made.

    The shards of a model are a `best_effort`: what can be had is worth having, and the rest is tried again later. A
    film and its licence are an `all_or_nothing`: one without the other must not be there.

    Args:
        name: what people call it; under `all_or_nothing`, the name of the folder that it becomes.
        requests: the members, 1 to 10,000 of them.
        policy: `best_effort`, `all_or_nothing` or `roll_forward`.
        folder: where to: the folder in which the bundle's own is made under `all_or_nothing`, else the folder of all
            members that name no other; None for the engine's own.

    Raises:
        InvalidSetting: an argument cannot be meant.
        InvalidDestination: a member of an `all_or_nothing` bundle is to lie elsewhere.
    """

    name: str = attrs.field()
    requests: tuple[Request, ...] = attrs.field(converter=_requests)
    policy: BundlePolicy = attrs.field(default=BundlePolicy.BEST_EFFORT, converter=_policy, kw_only=True)
    folder: str | None = attrs.field(default=None, kw_only=True)

    @name.validator
    def _check_name(self, _: Any, name: str) -> None:
        if not (0 < len(name) <= LONGEST_NAME and name.isprintable() and name.strip() == name and "/" not in name):
            raise InvalidSetting(
                f"a bundle cannot be called {name[:LONGEST_NAME]!r}",
                hint=f"a name is printable text of 1 to {LONGEST_NAME} characters, without / and outer spaces",
            )

    @requests.validator
    def _check_requests(self, _: Any, requests: tuple[Request, ...]) -> None:
        if not 0 < len(requests) <= MOST_MEMBERS:
            raise InvalidSetting(
                f"a bundle cannot have {len(requests)} members",
                hint=f"it has at least 1 and at most {MOST_MEMBERS}; make several of more",
            )
        seen: dict[object, int] = {}
        for number, one in enumerate(requests, start=1):
            first = seen.setdefault((one.url, one.path, one.folder, frozenset(one.headers.items())), number)
            if first != number:
                raise InvalidSetting(
                    f"the members {first} and {number} of the bundle ask for the same URL",
                    hint="name it once, or give each a file of its own with -o",
                )

    def __attrs_post_init__(self) -> None:
        if self.policy is BundlePolicy.ALL_OR_NOTHING and FALLBACK == clean(self.name) != self.name:
            raise InvalidSetting(
                f"a bundle called {self.name!r} cannot become a folder",
                hint=f"under {self.policy} its name is that of its folder; give it another",
            )
        if not self.policy.together:
            return
        for request in self.requests:
            if request.if_exists not in _TAKEN_BACK:
                raise InvalidSetting(
                    f"under {self.policy} no member can have if_exists {request.if_exists}",
                    hint="fail and rename can be taken back when another member fails; use one of them",
                )
            if self.policy is BundlePolicy.ALL_OR_NOTHING and request.folder is not None:
                raise InvalidDestination(
                    f"all members of an {self.policy} bundle lie in its own folder",
                    hint="leave out their folders, or use roll_forward for members in different ones",
                )
