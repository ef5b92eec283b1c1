"""Show type checkers and editors the one import package that the folders make.

Setuptools maps `domain/` to `lading.domain` and so on when it installs; mypy and pyright read folders and cannot see
that mapping. This makes `.tree/lading/`, a git-ignored tree of symlinks in the shape of the installed package, from the
same table in `pyproject.toml`, so that there is one truth about where a room lives. Run it as `python tools/link.py`.
"""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path


def link(root: Path) -> Path:
    """Make `.tree/lading` anew below `root`, the repository's folder, and return it."""
    rooms: dict[str, str] = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"]
    tree = root / ".tree"
    shutil.rmtree(tree, ignore_errors=True)
    package = tree / "lading"
    package.mkdir(parents=True)
    for item in sorted((root / rooms.pop("lading")).iterdir()):
        if item.name != "__pycache__":
            (package / item.name).symlink_to(item)
    for name, folder in rooms.items():
        (package / name.removeprefix("lading.")).symlink_to(root / folder)
    return package


if __name__ == "__main__":
    link(Path(__file__).resolve().parent.parent)
