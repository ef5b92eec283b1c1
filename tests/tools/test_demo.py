"""The demo, as a newcomer runs it."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.long
@pytest.mark.timeout(120)
@pytest.mark.row("C.3")
@pytest.mark.law(3)
def test_the_demo_is_killed_recovers_and_proves_it():
    """It exits 0 only when every file equals the origin's and the large one went on from its last durable byte."""
    done = subprocess.run(
        [sys.executable, "-m", "lading", "demo"], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kill -9" in done.stdout
    assert "Recovered" in done.stdout
    assert "All of it was true." in done.stdout
    assert "\x1b[" not in done.stdout
