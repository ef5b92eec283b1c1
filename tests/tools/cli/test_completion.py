"""`lading completion` prints a script with which a shell completes verbs and options."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_own(lading, shell):
    """It calls the program back."""
    assert f"_LADING_COMPLETE={shell}_complete" in lading("completion", shell).out
    assert lading.row("completion", shell)["shell"] == shell


def test_the_program_completes_itself(monkeypatch):
    """Verbs, and the options of a verb."""
    monkeypatch.setenv("_LADING_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "lading pri")
    monkeypatch.setenv("COMP_CWORD", "1")
    said = subprocess.run([sys.executable, "-m", "lading"], capture_output=True, text=True, check=False, timeout=30)
    assert said.stdout == "plain,prioritise\n"
