"""A program in a terminal of its own: what it draws, cell by cell, and keys typed to it.

    with Terminal(["vmconfig", "misc", "edit"]) as terminal:
        terminal.wait_for("Misc Setup")
        terminal.type(DOWN, ENTER)
        ...
        terminal.wait_for_end()

The terminal is a pseudo-terminal with python3-pyte behind it. `text()` is the screen as lines, `cells()` each
character with its attributes, `svg()` a picture of it. `drawn` holds every byte that ever came, `frames` the
text of the screen after each piece of it that was read.
"""

import errno
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from xml.sax.saxutils import escape

from mailrig import dies_with_parent

try:
    import pyte
except ModuleNotFoundError:  # another python3 than Debian's; the package is pure Python
    sys.path.append("/usr/lib/python3/dist-packages")
    import pyte

UP, DOWN, RIGHT, LEFT = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
HOME, END, PAGE_UP, PAGE_DOWN = "\x1b[1~", "\x1b[4~", "\x1b[5~", "\x1b[6~"
ENTER, TAB, ESCAPE, F12, BACKSPACE = "\r", "\t", "\x1b", "\x1b[24~", "\x7f"
CTRL_C, CTRL_K, CTRL_L, CTRL_U, CTRL_Z = "\x03", "\x0b", "\x0c", "\x15", "\x1a"

SECONDS = 60  # for something to be seen; under sanitizers and on a busy machine
UTF8 = {"LC_ALL": "C.UTF-8"}

# How the sixteen colours look in a picture.
COLOURS = {
    "black": "#000000", "red": "#aa0000", "green": "#00aa00", "brown": "#aa5500", "blue": "#0000aa",
    "magenta": "#aa00aa", "cyan": "#00aaaa", "white": "#c8c8c8", "brightblack": "#555555",
    "brightred": "#ff5555", "brightgreen": "#55ff55", "brightbrown": "#ffff55", "brightyellow": "#ffff55",
    "brightblue": "#5555ff", "brightmagenta": "#ff55ff", "brightcyan": "#55ffff", "brightwhite": "#ffffff",
}  # fmt: skip
CELL_WIDTH, CELL_HEIGHT = 9, 18


class NotSeen(AssertionError):
    """What was waited for did not come; with the screen as it is."""


def colour(name, otherwise):
    if name == "default":
        return otherwise
    return COLOURS.get(name) or f"#{name}"  # pyte gives the others as six digits


def begins_session():
    """For subprocess preexec_fn: as a shell starts a program in its terminal."""
    # (What runs in the background has these ignored.)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    dies_with_parent()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """`environment` is added to ours; a locale that is not UTF-8 makes the terminal one of bytes."""

    def __init__(self, command, environment=None, term="xterm", columns=80, rows=24):
        self.drawn, self.frames = b"", []
        self.screen = pyte.Screen(columns, rows)
        environment = {**os.environ, **UTF8, **(environment or {}), "TERM": term}
        self.stream = pyte.ByteStream(self.screen)
        self.stream.use_utf8 = environment["LC_ALL"].lower().endswith(("utf-8", "utf8"))
        self.master, self.slave = pty.openpty()
        self._set_size(columns, rows)
        self.settings = termios.tcgetattr(self.slave)  # before the program has them
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env=environment,
            start_new_session=True,
            preexec_fn=begins_session,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.close()

    def close(self):
        """The terminal's window is closed: the program gets SIGHUP, and nothing more from it."""
        for end in (self.slave, self.master):
            if end is not None:
                os.close(end)
        self.master = self.slave = None

    def _set_size(self, columns, rows):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns, rows):
        self.screen.resize(rows, columns)
        self._set_size(columns, rows)

    # ---- what is seen -------------------------------------------------------------------------------
    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def line_with(self, words):
        """The first line of the screen with these words, or that a compiled expression matches; "" when there is none."""
        has = (lambda line: words in line) if isinstance(words, str) else words.search
        return next((line for line in self.text().split("\n") if has(line)), "")

    def cells(self):
        """Lines of pyte's characters: data, fg, bg, bold, underscore, reverse."""
        return [[self.screen.buffer[y][x] for x in range(self.screen.columns)] for y in range(self.screen.lines)]

    def settings_are_back(self):
        return termios.tcgetattr(self.slave) == self.settings

    def takes_keys(self):
        """Whether the program gets each key as it is typed, not lines as a shell does."""
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def _read(self, seconds):
        """Takes what the program draws in this time at most; whether something came. None: it will not any more."""
        ready, _, _ = select.select([self.master], [], [], max(seconds, 0))
        if not ready:
            return False
        try:
            piece = os.read(self.master, 65536)
        except OSError as gone:
            if gone.errno != errno.EIO:
                raise
            return None
        self.drawn += piece
        self.stream.feed(piece)
        self.frames.append(self.text())
        return True

    def wait_until(self, what, condition, seconds=SECONDS):
        """Reads until `condition` holds, mostly of the screen; returns what it gave."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            ended = self.process.poll() is not None
            more = self._read(0.2)
            if not more and (ended or more is None or time.monotonic() >= deadline):
                how = f"the program has ended with {self.process.poll()}" if ended else f"{seconds} s were waited for it"
                raise NotSeen(f"not seen: {what}; {how}; the screen:\n{self.text()}")
        return found

    def wait_for(self, words, seconds=SECONDS):
        """Until these words are in one line of the screen, or a compiled expression matches one; returns the line.
        (What is drawn comes in pieces, from top to bottom: what is above is there by then, what is below may not.)"""
        return self.wait_until(repr(words), lambda: self.line_with(words), seconds)

    def wait_for_no(self, words, seconds=SECONDS):
        self.wait_until(f"a screen without {words!r}", lambda: words not in self.text(), seconds)

    def type(self, *keys):
        for key in keys:
            os.write(self.master, key if isinstance(key, bytes) else key.encode())

    def wait_for_end(self, seconds=SECONDS):
        """The program's exit status; what it drew last is on the screen."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() >= deadline:
                raise NotSeen(f"the program has not ended in {seconds} s; the screen:\n{self.text()}")
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.returncode

    # ---- pictures -----------------------------------------------------------------------------------
    def svg(self):
        """The screen as a picture: one rectangle for cells of one background, one text for those of one look."""
        width, height = self.screen.columns * CELL_WIDTH, self.screen.lines * CELL_HEIGHT
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}">',
            f'<rect width="{width}" height="{height}" fill="{COLOURS["black"]}"/>',
            '<g font-family="DejaVu Sans Mono, monospace" font-size="15" xml:space="preserve">',
        ]
        for y, line in enumerate(self.cells()):
            for x, run in runs(line):
                front, back = look(run[0])
                left, top, wide = x * CELL_WIDTH, y * CELL_HEIGHT, len(run) * CELL_WIDTH
                if back != COLOURS["black"]:
                    parts.append(
                        f'<rect x="{left}" y="{top}" width="{wide}" height="{CELL_HEIGHT}" fill="{back}"/>'
                    )
                text = "".join(cell.data or " " for cell in run)
                if text.strip():
                    bold = ' font-weight="bold"' if run[0].bold else ""
                    parts.append(
                        f'<text x="{left}" y="{top + 14}" textLength="{wide}" fill="{front}"{bold}>{escape(text)}</text>'
                    )
        return "\n".join([*parts, "</g>", "</svg>", ""])


def look(cell):
    """The colours of a cell: front and back."""
    front, back = colour(cell.fg, COLOURS["white"]), colour(cell.bg, COLOURS["black"])
    return (back, front) if cell.reverse else (front, back)


def runs(line):
    """[(column, cells)] of a line: neighbours that look alike together."""
    found = []
    for x, cell in enumerate(line):
        last = found[-1][1][-1] if found else None
        if last and (look(last), last.bold) == (look(cell), cell.bold):
            found[-1][1].append(cell)
        else:
            found.append((x, [cell]))
    return found
