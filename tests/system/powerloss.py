"""What a disk may hold after the power went: replays a log of preload/record_writes.cc up to a cut.

    recorder = Recorder(build, directory)       programs run with recorder.environment are recorded
    events = recorder.events()
    disk = Disk(recorder.root)
    for event in events[:cut]: disk.apply(event)
    disk.write_image(directory, random.Random(seed))

What is assumed of the file system, on purpose less than ext4, XFS or btrfs give:

- A file holds what it held at its last fsync. Of what came after, each sector (512 or 4096 bytes) is at
  any moment since then, independently of the others, and so is its size; where its size grew over
  what never came to the disk there are zeros or garbage. SQLite assumes as much: a sector is written
  whole or not at all, and a write damages nothing beside it.
- A directory holds the names it held at its last fsync. Of the changes after, any may be there and
  any not, or (the other half of the images) those up to some moment, as with a journal. An fsync of a
  file is nothing to its name. The one thing taken for granted is that a rename is one change: the
  file is never under neither name.
- Modes, owners and times are not looked at. SQLite's -shm is written through a mapping, which is not
  seen: what is there is garbage. The trace goes through stdio, and is not seen either.
"""

import collections
import fcntl
import os
import pathlib
import struct

from vmunit import preloaded

HEADER = struct.Struct("<IIiQqc")
Event = collections.namedtuple("Event", "kind pid inode offset first second")
NOT_SEEN = ("var/trace/", "run/")  # names below these may come from nowhere


class LogError(Exception):
    pass


class Recorder:
    """A directory whose changes are recorded; `note` puts a word of the test's between them."""

    def __init__(self, build, directory):
        self.root = pathlib.Path(os.path.realpath(directory)) / "disk"
        self.root.mkdir()
        self._log = self.root.parent / "writes.log"
        self._log.touch()
        self.environment = preloaded(
            build, "record_writes", VM_RECORD_ROOT=self.root, VM_RECORD_LOG=self._log
        )

    def note(self, text):
        """Kind N, in its place in the order."""
        coded = text.encode()
        with open(self._log, "ab", buffering=0) as log:
            fcntl.flock(log, fcntl.LOCK_EX)
            log.write(HEADER.pack(len(coded), 0, os.getpid(), 0, 0, b"N") + coded)

    def events(self):
        data, at, out = self._log.read_bytes(), 0, []
        while at < len(data):
            first, second, pid, inode, offset, kind = HEADER.unpack_from(data, at)
            at += HEADER.size
            text = data[at : at + first].decode(errors="replace")
            out.append(Event(kind.decode(), pid, inode, offset, text, data[at + first : at + first + second]))
            at += first + second
        return out


class _File:
    def __init__(self):
        self.names = 0
        self.durable = b""
        self.now = bytearray()
        self.pending = []  # ("W", offset, data) and ("T", size), since the last fsync

    def write(self, offset, data):
        if offset > len(self.now):
            self.now.extend(bytes(offset - len(self.now)))
        self.now[offset : offset + len(data)] = data
        self.pending.append(("W", offset, data))

    def resize(self, size):
        del self.now[size:]
        self.now.extend(bytes(size - len(self.now)))
        self.pending.append(("T", size, b""))

    def sync(self):
        self.durable, self.pending = bytes(self.now), []

    def image(self, random):
        how = random.choice(("lost", "there", "any", "any"))
        if how == "lost" or not self.pending:
            return self.durable
        if how == "there":
            return bytes(self.now)
        size = len(self.durable)
        for kind, offset, data in self.pending[: random.randint(0, len(self.pending))]:
            size = offset if kind == "T" else max(size, offset + len(data))
        sector = random.choice((512, 4096))
        holes = random.choice((bytes(sector), random.randbytes(sector)))
        out = bytearray(self.durable[:size])
        while len(out) < size:
            out.extend(holes[: size - len(out)])
        touched = collections.defaultdict(list)
        for change in self.pending:
            kind, offset, data = change
            last = offset + len(data) if kind == "W" else max(len(self.now), len(self.durable))
            for number in range(offset // sector, -(-last // sector)):
                touched[number].append(change)
        for number, changes in touched.items():
            done = changes[: random.randint(0, len(changes))]
            if done and number * sector < size:
                out[number * sector : (number + 1) * sector] = self._sector(number * sector, sector, done)
        return bytes(out[:size])

    def _sector(self, start, length, changes):
        content = bytearray(self.durable[start : start + length].ljust(length, b"\0"))
        for kind, offset, data in changes:
            at = max(offset - start, 0)
            if kind == "T":
                content[at:] = bytes(length - at)
            else:
                piece = data[max(start - offset, 0) : start + length - offset]
                content[at : at + len(piece)] = piece
        return bytes(content)


# One change of a directory: the name now means `node`, or nothing. A rename is two of one number.
_Change = collections.namedtuple("_Change", "number name node")


class _Directory:
    def __init__(self):
        self.names = 0
        self.durable, self.now, self.pending = {}, {}, []

    def set(self, number, name, node):
        if node is None:
            del self.now[name]
        else:
            self.now[name] = node
        self.pending.append(_Change(number, name, node))

    def sync(self):
        """Returns the numbers of the changes that are durable now."""
        numbers = {change.number for change in self.pending}
        self.durable, self.pending = dict(self.now), []
        return numbers

    def listed(self, is_there):
        names = dict(self.durable)
        for change in self.pending:
            if is_there(change.number):
                names[change.name] = change.node
        return {name: node for name, node in names.items() if node is not None}


class Disk:
    """All that was written below `root` so far, and what of it is durable."""

    def __init__(self, root):
        self._root = str(root)
        self._top = _Directory()
        self._top.names = 1
        self._inodes = {os.stat(root).st_ino: self._top}
        self._directories = [self._top]
        self._number = 0
        self._forced = set()  # renames of which one half is durable

    def apply(self, event):
        kind, path = event.kind, event.first
        self._number += 1
        if kind in "CO":
            self._inodes[event.inode] = node = _File()
            if kind == "C":
                self._name(path, node)
        elif kind == "M":
            self._inodes[event.inode] = node = _Directory()
            self._directories.append(node)
            self._name(path, node)
        elif kind in "WTAS":
            self._change(event)
        elif kind == "U":
            self._name(path, None)
        elif kind in "RL":
            node = self._find(path)
            if node is not None:
                self._name(event.second.decode(), node)
                if kind == "R":
                    self._name(path, None)
        elif kind == "X":
            raise LogError(f"not modelled: {path}")

    def _change(self, event):
        node = self._inodes.get(event.inode)
        if node is None or node.names == 0 and not self._is_unnamed(event.first):
            if self._is_seen(event.first):
                raise LogError(f"{event.first} was not seen being made")
        elif event.kind == "W":
            node.write(event.offset, event.second)
        elif event.kind == "T":
            node.resize(event.offset)
        elif event.kind == "A":
            if event.offset > len(node.now):
                node.resize(event.offset)
        elif isinstance(node, _File):
            node.sync()
        else:
            self._forced |= node.sync()

    @staticmethod
    def _is_unnamed(path):
        return path.endswith(" (deleted)")

    def _is_seen(self, path):
        return not self._is_unnamed(path) and not any(f"/{part}" in path for part in NOT_SEEN)

    def _place(self, path):
        directory = self._top
        *parents, name = path[len(self._root) + 1 :].split("/")
        for parent in parents:
            directory = directory.now[parent]
        return directory, name

    def _find(self, path):
        directory, name = self._place(path)
        if name not in directory.now and self._is_seen(path):
            raise LogError(f"{path} was not seen being made")
        return directory.now.get(name)

    def _name(self, path, node):
        directory, name = self._place(path)
        before = self._find(path) if node is None else directory.now.get(name)
        if node is None and before is None:
            return
        for one, change in ((before, -1), (node, 1)):
            if one is not None:
                one.names += change
        directory.set(self._number, name, node)

    def write_image(self, directory, random):
        """Writes one of the states that the disk may be in into a new directory."""
        journal = random.choice((True, False))
        numbers = sorted({change.number for one in self._directories for change in one.pending})
        last = random.choice((0, *numbers))
        chosen = {n for n in numbers if (n <= last if journal else random.random() < 0.5)}
        self._write(self._top, directory, random, (chosen | self._forced).__contains__)

    def _write(self, node, path, random, is_there):
        if isinstance(node, _File):
            path.touch(0o600)
            path.write_bytes(node.image(random))
            return
        path.mkdir(0o700)
        for name, child in sorted(node.listed(is_there).items()):
            self._write(child, path / name, random, is_there)
