"""The vault: secrets sealed under a key for each download, in a folder that can be left out of any backup.

`sealed` keeps, recalls and forgets; `home_key` has the key of the home, under which all other keys lie; `strongroom`
knows where the sealed records are, and writes them anew so that nothing is left of what was forgotten.
"""

from __future__ import annotations

from lading.adapters.vault.sealed import SealedVault
from lading.adapters.vault.strongroom import Strongroom

__all__ = ["SealedVault", "Strongroom"]
