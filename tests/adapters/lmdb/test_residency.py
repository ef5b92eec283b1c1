"""Who reads a whole environment gives its pages back, and nobody notices."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lading.adapters.lmdb.log import LMDBLog
from lading.adapters.lmdb.residency import give_back
from lading.tools.bench import history

MIB = 1024


def mapped_kib() -> int:
    """How much of files is resident in this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssFile"))


@pytest.mark.skipif(sys.platform != "linux", reason="the call is Linux's")
@pytest.mark.long
def test_what_was_read_leaves_the_process_and_can_be_read_again(tmp_path):
    """The same bytes, before and after, and what is appended meanwhile too."""
    log = LMDBLog(tmp_path / "log", trust_file_system=True)
    requests = list(history.requests(8_000))
    log.append(requests)
    first = log.read(0, 100_000)
    before = mapped_kib()
    give_back()
    assert before - mapped_kib() > 10 * MIB
    log.append(list(history.requests(1)))
    give_back()
    assert log.read(0, 40_000) == first
    assert log.head() == 40_005
    log.close()
