"""Parts and files on a real disk: the port `Disk`, over the calls of the kernel that can keep its promises.

The rules of this room:

- A part is a locked inode, not a name. `flock` belongs to the open file description, so a worker that is merely stopped
  keeps it, and one that was killed has lost it at once. After the lock comes a look: is the name still this inode's?
- Nothing here follows a symbolic link in a last component, truncates a file that it finds, or writes to a final name.
  A part of our name that nobody holds is unlinked, not reused: its inode may already be somebody's published file.
- Publishing links the inode that we hold, so whoever moves names about meanwhile publishes nothing else under ours. A
  link never replaces.
- A flush that failed has failed for good: the kernel may have dropped those pages and call the next one a success.
"""

from lading.adapters.disk.kernel import clone as share_blocks
from lading.adapters.disk.local import LocalDisk
from lading.adapters.disk.part import LocalPart

__all__ = ["LocalDisk", "LocalPart", "share_blocks"]
