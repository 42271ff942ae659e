"""Where tests keep their files."""

from __future__ import annotations

import os
import shutil

# A file system in memory, which Linux has.
MEMORY = "/dev/shm"
# In bytes; the tests that run side by side use less than a tenth.
ROOM = 1e9


def has_room_in_memory() -> bool:
    """Return whether there is one that has room, and from which programs can be run."""
    if not os.access(MEMORY, os.W_OK):
        return False
    if os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        return False
    return shutil.disk_usage(MEMORY).free > ROOM
