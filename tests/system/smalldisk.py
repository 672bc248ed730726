"""File systems of a test's own: small, full on request, gone with the process. Needs to be root.

    if not smalldisk.is_possible(): skip
    disk = smalldisk.Disk(directory, 4 << 20)     a tmpfs mounted there, seen by this process and its children
    with disk.full(): ...                         not a byte is left
"""

import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNS = 0x20000
_libc = ctypes.CDLL(None, use_errno=True)
_private = None


def is_possible():
    """Whether this process may mount; it has its own view of what is mounted from then on."""
    global _private
    if _private is None:
        _private = _libc.unshare(CLONE_NEWNS) == 0 and _mount("--make-rprivate", "/") == 0
    return _private


def _mount(*arguments):
    return subprocess.run(["mount", *map(str, arguments)], capture_output=True).returncode


class Disk:
    def __init__(self, directory, size):
        self.directory, self._ballast = directory, directory / "ballast"
        if _mount("-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", directory) != 0:
            raise OSError(f"no tmpfs at {directory}")

    def free(self):
        status = os.statvfs(self.directory)
        return status.f_bavail * status.f_bsize

    @contextlib.contextmanager
    def full(self, left=0):
        """No more than `left` bytes are free."""
        self.fill(left)
        try:
            yield
        finally:
            self._ballast.unlink()

    def fill(self, left=0):
        with open(self._ballast, "ab", buffering=0) as ballast:
            try:
                while (room := self.free() - left) > 0:
                    ballast.write(bytes(min(room, 1 << 20)))
            except OSError:
                pass

    def remount(self, how):
        if _mount("-o", f"remount,{how}", self.directory) != 0:
            raise OSError(f"cannot remount {self.directory} {how}")

    def remove(self):
        subprocess.run(["umount", "-l", str(self.directory)], capture_output=True)
