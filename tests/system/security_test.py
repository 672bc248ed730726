#!/usr/bin/env python3
"""What lies and runs where, and who may look at it: modes and owners of every file of a unit, passwords
outside of it, core files, the control socket. That no password is printed or traced is looked for in
every test (passwords.py)."""

import fnmatch
import os
import pathlib
import pwd
import re
import resource
import shutil
import signal
import socket
import subprocess

import media
import passwords
import synctest
import vmunit
from mailrig import dies_with_parent, wait_until

# Of everything below a unit's root; the first that matches.
MODES = [
    (".", 0o755),
    ("etc", 0o750),
    ("etc/mailboxes", 0o700),
    ("etc/mailboxes/*.ini", 0o600),
    ("etc/misc.ini", 0o640),
    ("etc/vmconfig.lock", 0o600),
    ("etc/vm.key", 0o600),
    ("run", 0o750),
    ("run/vmemaild.lock", 0o640),
    ("run/vmemaild.sock", 0o660),
    ("var", 0o700),
    ("var/trace/*", 0o640),
    ("var/trace", 0o700),
    ("var/vm.db*", 0o600),
    ("var/media/??/*", 0o600),
    ("var/media/??", 0o700),
    ("var/media", 0o700),
    ("var/spool", 0o700),
]
NOBODY = pwd.getpwnam("nobody").pw_uid


def setUpModule():
    SecurityTest.rig = synctest.start()


def tearDownModule():
    SecurityTest.rig.stop()


def processes(pid):
    """A process and all below it."""
    return [pid] + [each for child in vmunit.children(pid) for each in processes(child)]


class SecurityTest(synctest.TestCase):
    def everything(self, unit):
        return sorted(path for path in [unit.root, *unit.root.rglob("*")] if path.name != "agent.log")

    # ---- files --------------------------------------------------------------------------------------
    def whole_life(self, umask):
        before = os.umask(umask)
        try:
            unit = vmunit.Unit(root=self.files / f"unit{umask}")  # a root that vmconfig init makes
            self.addCleanup(unit.remove)
            box = self.box(unit=unit)
            box.unit.config("misc", "set", "TraceLevelOverride", "True")
            box.unit.config("misc", "set", "MaxTraceFileSize", "2000")
            [first] = box.deliver(1)
            with box.unit.agent() as agent:
                agent.wait_for_workers()
                box.unit.wait_for_state(box.add(), "sent")
                box.phone("delete", first)
                box.seen_in_the_mail(first, "")
                return self.modes(box.unit)
        finally:
            os.umask(before)

    def modes(self, unit):
        found = {}
        for path in self.everything(unit):
            name = str(path.relative_to(unit.root))
            rule = next((mode for pattern, mode in MODES if fnmatch.fnmatch(name, pattern)), None)
            self.assertIsNotNone(rule, f"{name}: no mode is known for it")
            found[name] = (f"{rule:04o}", f"{path.stat().st_mode & 0o7777:04o}")
        return found

    def test_modes_of_every_file(self):
        for umask in (0o000, 0o077):
            found = self.whole_life(umask)
            self.assertEqual({}, {name: modes for name, modes in found.items() if modes[0] != modes[1]})
            names = " ".join(found)
            for some in ("var/trace/vmemaild.1.trace", "var/vm.db-wal", "run/vmemaild.sock", "etc/vm.key"):
                self.assertIn(some, names)

    def test_what_root_makes_belongs_to_the_owner_of_the_root(self):
        unit = self.unit()
        for path in self.everything(unit):
            os.chown(path, NOBODY, NOBODY)
        unit.config("mailbox", "create", "101")
        unit.add("101", media.recording("vm-intro"))
        unit.config("misc", "set", "g_bUseTTS", "True")
        unit.ctl("status")
        others = [str(path) for path in self.everything(unit) if path.stat().st_uid != NOBODY]
        self.assertEqual([], others)

    def test_root_acts_as_the_owner_of_the_root(self):
        """Whom the unit belongs to leads root nowhere, and what root brings and takes is root's."""
        box = self.box(unit=self.unit())
        unit = box.unit
        for path in self.everything(unit):
            os.chown(path, NOBODY, NOBODY)
        private = self.files / "private"
        private.mkdir(mode=0o700)
        shutil.copy(media.recording("vm-intro"), private / "in.wav")
        identity = unit.add(box.number, private / "in.wav")
        unit.ctl("message", "export", identity, "--as", "media", "--output", private / "out.wav")
        self.assertEqual((private / "in.wav").read_bytes(), (private / "out.wav").read_bytes())
        self.assertEqual(0, (private / "out.wav").stat().st_uid)
        with unit.agent() as agent:
            agent.wait_for_workers()
            for pid in processes(agent.process.pid):
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                ids = re.search(r"^Uid:\s+(.*)\nGid:\s+(.*)\nFD.*\nGroups:\s*(.*)", status, re.MULTILINE)
                self.assertEqual([4 * [str(NOBODY)], 4 * [str(NOBODY)]], [ids[1].split(), ids[2].split()])
                self.assertNotIn("0", ids[3].split())
            unit.wait_for_state(identity, "sent")
        others = [str(path) for path in self.everything(unit) if path.stat().st_uid != NOBODY]
        self.assertEqual([], others)

        # Every name that our programs open, as a link to where only root can go.
        before = {path.name: path.read_bytes() for path in private.iterdir()}
        for name, target in (
            ("run/vmemaild.lock", private / "in.wav"),
            ("var/trace/vmemaild.trace", private / "in.wav"),
            ("etc/misc.ini", private / "in.wav"),
            ("etc/vmconfig.lock", private / "in.wav"),
            ("etc/mailboxes", private),
            ("var/media", private),
            ("var/spool", private),
            ("var/vm.db", private / "new.db"),
        ):
            with self.subTest(name):
                path, aside = unit.root / name, self.files / "aside"
                path.rename(aside)
                path.symlink_to(target)
                for command in (
                    ["vmctl", "message", "add", "--mailbox", box.number, "--kind", "voice", "--file", private / "in.wav"],
                    ["vmctl", "sync", box.number],
                    ["vmctl", "queue", "retry"],
                    ["vmconfig", "mailbox", "create", "199"],
                    ["vmconfig", "misc", "set", "g_bUseTTS", "True"],
                    ["vmconfig", "init"],
                    ["vmemaild", "--check"],
                    ["vmemaild", "--once"],
                ):
                    done = unit.run(*command, status=None)
                    self.assertLess(done.returncode, 128, command)
                path.unlink()
                aside.rename(path)
                self.assertEqual(before, {path.name: path.read_bytes() for path in private.iterdir()})
                unit.run("vmconfig", "mailbox", "delete", "199", status=None)

    # ---- passwords ----------------------------------------------------------------------------------
    def test_no_password_in_ps_or_an_environment(self):
        """Neither of the agent's processes nor of what they start."""
        box = self.box(unit=self.unit())
        told = self.files / "told"
        command = self.files / "waiting"
        command.write_text(f'#!/bin/sh\n{{ env; echo "$0 $@"; cat /proc/$$/cmdline; }} >> {told}\necho end >> {told}\n')
        command.chmod(0o755)
        box.unit.config("misc", "set", "g_szMessageWaitingCommand", command)
        with box.unit.agent() as agent:
            agent.wait_for_workers()
            box.unit.wait_for_state(box.add(), "sent")
            wait_until("the command", lambda: told.exists() and "end" in told.read_text())
            for pid in processes(agent.process.pid):
                for what in ("cmdline", "environ"):
                    self.assertFalse(passwords.is_in(pathlib.Path(f"/proc/{pid}/{what}").read_bytes()))
        self.assertFalse(passwords.is_in(told.read_bytes()))

    def killed(self, command, **options):
        """Whether the kernel wrote a core when this was killed as by a fault in it."""
        process = subprocess.Popen(
            command,
            cwd=self.files,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2),
            **options,
        )
        with process:
            process.stdout.readline()  # it runs
            process.send_signal(signal.SIGABRT)  # (a sanitizer would make an exit status of a SIGSEGV)
            _, status = os.waitpid(process.pid, 0)
            process.returncode = -os.WTERMSIG(status)
        self.assertEqual(signal.SIGABRT, os.WTERMSIG(status))
        return os.WCOREDUMP(status)

    def test_no_core(self):
        resource_limit = resource.getrlimit(resource.RLIMIT_CORE)
        if resource_limit[1] != resource.RLIM_INFINITY or not self.killed(["/bin/sh", "-c", "echo; exec cat"]):
            self.skipTest("this machine writes no cores at all")
        unit = self.unit()
        unit.config("mailbox", "create", "101")
        self.assertFalse(self.killed(unit.command("vmemaild", "--foreground")))
        self.assertFalse(self.killed(unit.command("vmctl", "watch")))

    def test_no_other_process_of_the_user_looks_into_the_agent(self):
        unit = self.unit()
        for path in self.everything(unit):
            os.chown(path, NOBODY, NOBODY)
        os.chmod(unit.root, 0o755)
        # By descriptor, because the build tree may lie where that user cannot go.
        with open(unit.build / "bin/vmemaild", "rb") as program:
            agent = subprocess.Popen(
                unit.command("vmemaild", "--foreground"),
                executable=f"/proc/self/fd/{program.fileno()}",
                pass_fds=[program.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                user=NOBODY,
                group=NOBODY,
                preexec_fn=dies_with_parent,
            )
        try:
            wait_until("the workers", lambda: len(vmunit.children(agent.pid)) == 2)
            for pid in processes(agent.pid):
                for what in ("environ", "mem"):
                    done = subprocess.run(["cat", f"/proc/{pid}/{what}"], capture_output=True, text=True, user=NOBODY)
                    self.assertIn("Permission denied", done.stderr)
        finally:
            agent.terminate()
            agent.wait()

    # ---- the control socket --------------------------------------------------------------------------
    def test_the_control_socket(self):
        box = self.box(unit=self.unit())
        path = str(box.unit.root / "run/vmemaild.sock")
        hostile = [b"", b"\0" * 64, b"\xff" * 5000, b"101 retry\n102 sync", b"../101 sync", b"9" * 60000, b"101 sync\0"]
        with box.unit.agent() as agent:
            workers = agent.wait_for_workers()
            wait_until("the socket", lambda: os.path.exists(path))
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as poker:
                for datagram in hostile:
                    poker.sendto(datagram, path)
            stranger = subprocess.run(
                ["python3", "-c", "import socket,sys; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).connect(sys.argv[1])",
                 path], capture_output=True, text=True, user=NOBODY, group=NOBODY,
            )  # fmt: skip
            self.assertIn("PermissionError", stranger.stderr)
            box.unit.wait_for_state(box.add(), "sent")
            self.assertEqual(workers, agent.workers())


if __name__ == "__main__":
    vmunit.main()
