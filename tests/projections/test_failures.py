"""What has failed and why, against a model that looks at every download."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain.states import State
from lading.projections import failures

pytestmark = pytest.mark.row("C.2")


@settings(deadline=None)
@given(data=st.data())
def test_failed_downloads_are_counted_and_found_by_cause(data, worlds, make):
    """Each cause has those that are failed now, in the order of asking; what is tried again has left."""
    world = data.draw(worlds)
    failed = [download for download in world.by_age() if download.state is State.FAILED]
    by_cause = sorted(failed, key=lambda download: (len(download.cause), download.cause))
    with make.fold(world.facts(), [2] * 20).read() as reader:
        assert failures.counts(reader) == Counter(download.cause for download in failed)
        assert list(failures.failed(reader)) == [download.id for download in by_cause]
        for cause in {download.cause for download in failed} | {"tls"}:
            assert list(failures.failed(reader, cause, 2)) == [d.id for d in failed if d.cause == cause][:2]
