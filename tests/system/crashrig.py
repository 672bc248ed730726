"""Runs that die at a crash point (src/base/crash_point.h), from a copy of what was prepared once.

A stage is one program run against a unit that is ready for it. Its unit and its accounts are kept as
they were before; so each of its crash points is tried in a unit and in accounts of its own, without
doing again what led there.
"""

import collections
import contextlib
import copy
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import time

import ledger
import vmunit


class CrashUnit(vmunit.Unit):
    """A unit whose agent, vmctl and plugins have crash points; they do nothing unless a run's
    environment says so."""

    environment = {}

    def command(self, program, *arguments):
        crash = self.build / "crash/bin" / program
        command = super().command(program, *arguments)
        return [str(crash), *command[1:]] if crash.exists() else command

    def use_plugin(self, name):
        self.config("misc", "set", "g_szEmailDllPath", str(self.build / "crash/lib" / name))


class Scene:
    """A unit and its lines (ledger.py) by name; the messages that are spoken of again, in a and b."""

    def __init__(self, unit, lines):
        self.unit, self.lines = unit, lines
        self.a, self.b = [], []

    def remove(self):
        for line in self.lines.values():
            line.close()
        self.unit.remove()

    def problems(self):
        found = [problem for line in self.lines.values() for problem in line.problems()]
        return found + ledger.intact(self.unit)

    def settle(self, hurry):
        """Until both sides are as they must be, with `hurry` as often as needed, and once more: what
        is in step stays so."""
        self.in_step(hurry)
        self.in_step(hurry, at_least_once=True)

    def in_step(self, hurry, at_least_once=False, seconds=60):
        rig = next(iter(self.lines.values())).rig
        deadline = time.monotonic() + seconds
        before = []
        while True:
            if at_least_once:
                hurry(self.unit)
            rig.drain()
            problems = self.problems()
            if not problems:
                return
            if ledger.lasting(problems, before) or time.monotonic() > deadline:
                raise vmunit.Failed("\n".join([*problems, *self._told(problems), self.unit.trace()[-6000:]]))
            before, at_least_once = problems, True

    def _told(self, problems):
        every = [identity for line in self.lines.values() for identity in line.wanted]
        named = [identity for identity in every if any(identity in problem for problem in problems)]
        return [self.unit.ctl("message", "history", identity, status=None).stdout for identity in named]

    def copy(self, users):
        """The same as another unit, with accounts of its own, which `users` gives. Nothing of it may
        run meanwhile."""
        names = {line.user: next(users) for line in self.lines.values()}
        scene = copy.copy(self)
        scene.unit = copy.copy(self.unit)
        scene.unit.root = pathlib.Path(tempfile.mkdtemp(prefix="vmunit."))
        shutil.copytree(self.unit.root, scene.unit.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
        scene.lines = {name: line.copy(scene.unit, names[line.user]) for name, line in self.lines.items()}
        for line in self.lines.values():
            copy_account(line.rig.server, line.user, names[line.user])
            file = scene.unit.root / f"etc/mailboxes/{line.number}.ini"
            file.write_text(file.read_text().replace(line.user, names[line.user]))
        if (scene.unit.root / "var/vm.db").exists():
            rename_accounts(scene.unit.root / "var/vm.db", names)
        return scene


def copy_account(server, user, other):
    source, target = server.folder_path(user).parent, server.folder_path(other).parent
    subprocess.run(["cp", "-a", source, target], check=True)


def rename_accounts(file, names):
    """The store knows an account by its server and its user's name; the copy's are the same mails."""
    with contextlib.closing(sqlite3.connect(file)) as store, store:
        for table in ("sync_states", "drop_mails"):
            for user, other in names.items():
                store.execute(f"UPDATE {table} SET account = replace(account, ?, ?)", (user, other))


class Run:
    """One command with a log of crash points, or a kill at one."""

    def __init__(self, unit):
        self.unit = unit
        self._log, self._count = unit.root / "crash.log", unit.root / "crash.count"

    def _environment(self, **settings):
        return dict(os.environ, **settings)

    def environment_to_log(self):
        return self._environment(VM_CRASH_LOG=str(self._log))

    def environment_to_die(self, point, nth, who="self"):
        """In which the process is killed that is the nth to come to `point`, or its parent is."""
        self._count.write_bytes(b"." * (nth - 1))
        return self._environment(VM_CRASH_AT=point, VM_CRASH_COUNT=str(self._count), VM_CRASH_WHO=who)

    def reached(self):
        """How often each point was come to, in the order of the first times."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return collections.Counter(lines)

    def died(self):
        """Whether the point of environment_to_die() was come to."""
        return not self._count.exists()

    def run(self, environment, program, *arguments):
        return subprocess.run(
            self.unit.command(program, *arguments),
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=vmunit.COMMAND_SECONDS,
        )

    def forget(self):
        self._log.unlink(missing_ok=True)
