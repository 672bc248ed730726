#!/usr/bin/env python3
"""What lies and runs where, and who may look at it: modes and owners of every file of a unit, passwords
outside of it, core files, the control socket. That no password is printed or traced is looked for in
every test (passwords.py)."""

import contextlib
import fnmatch
import os
import pathlib
import pty
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
    ("run/metrics.sock", 0o660),
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

    def give(self, unit, user, group):
        for path in self.everything(unit):
            os.chown(path, user, group, follow_symlinks=False)
        # Of a process that has changed its user the address sanitizer cannot look for leaks.
        unit.environment["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"

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
        self.give(unit, NOBODY, NOBODY)
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
        self.give(unit, NOBODY, NOBODY)
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
            ("var", private),
            ("etc", private),
            ("run", private),
            ("var", None),
            ("run", None),
        ):
            with self.subTest(name):
                path, aside = unit.root / name, self.files / "aside"
                path.rename(aside)
                if target is not None:
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
                made = [] if path.is_symlink() or not path.exists() else [path, *path.rglob("*")]
                self.assertEqual([], [each for each in made if each.stat().st_uid != NOBODY])
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
                aside.rename(path)
                self.assertEqual(before, {path.name: path.read_bytes() for path in private.iterdir()})
                unit.run("vmconfig", "mailbox", "delete", "199", status=None)

    def test_root_takes_no_group_of_roots_along(self):
        """The owner is a user without a name, and the group of all is root's."""
        unit = self.unit()
        self.give(unit, 54321, 0)
        told = self.files / "told"
        told.touch()
        told.chmod(0o666)
        self.files.chmod(0o755)
        command = unit.root / "waiting"
        command.write_text(f"#!/bin/sh\nid >> {told}\nenv >> {told}\n")
        command.chmod(0o755)
        unit.config("misc", "set", "g_szMessageWaitingCommand", command)
        unit.config("mailbox", "create", "101")
        unit.set("101", Email_Integration="Yes", Email_Name="a@example.com", Smtp_Server="127.0.0.1", Smtp_Port=1)
        unit.environment["SECRET_OF_ROOT"] = "roots_alone"
        with unit.agent() as agent:
            agent.wait_for_workers()
            unit.add("101", media.recording("vm-intro"))
            wait_until("the command", lambda: "PATH" in told.read_text())
            for pid in processes(agent.process.pid):
                self.assertNotIn(b"roots_alone", pathlib.Path(f"/proc/{pid}/environ").read_bytes())
        self.assertIn("uid=54321 gid=54321 groups=54321\n", told.read_text())
        self.assertNotIn("SECRET_OF_ROOT", told.read_text())

    def test_two_owners(self):
        unit = self.unit()
        self.give(unit, NOBODY, NOBODY)
        os.chown(unit.root / "etc", 54321, 54321)
        for program, *arguments in (["vmctl", "status"], ["vmconfig", "misc", "list"], ["vmemaild", "--once"]):
            done = unit.run(program, *arguments, status=77)
            self.assertIn("its directories belong to user 54321 and to user 65534", done.stderr)

    def test_what_is_no_lock(self):
        unit = self.unit()
        os.mkfifo(unit.root / "run/vmemaild.lock")
        unit.ctl("status")
        self.assertIn("vmemaild.lock: it is not a regular file; remove it", unit.once(status=77).stderr)

    def test_plugins_have_no_terminal(self):
        """They could type into it what the caller's shell would run."""
        unit = self.unit()
        unit.config("misc", "set", "g_szEmailDllPath", str(unit.build / "test/libcrash_on_purpose.so"))
        (self.files / "terminal").touch()
        for option in ("--check", "--dry-run", "--once"):
            pid, terminal = pty.fork()
            if pid == 0:
                os.environ["VM_CRASH_DIRECTORY"] = str(self.files)
                os.execv(unit.command("vmemaild")[0], unit.command("vmemaild", option))
            with open(terminal, "rb", buffering=0) as output, contextlib.suppress(OSError):
                while output.read(1000):
                    pass
            self.assertEqual(0, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), option)
        self.assertEqual("", (self.files / "terminal").read_text())

    def test_an_export_into_a_directory_of_others(self):
        """What takes the place of the new file while it is made is not written to."""
        box = self.box(unit=self.unit())
        [identity] = box.deliver(1)
        shared, secret = self.files / "shared", self.files / "secret"
        shared.mkdir(mode=0o777)
        secret.write_text("root's")
        box.unit.environment = vmunit.preloaded(
            box.unit.build, "swap_temporary", VM_SWAP_BELOW=shared, VM_SWAP_FOR=secret
        )
        box.unit.ctl("message", "export", identity, "--as", "eml", "--output", shared / "out.eml")
        self.assertTrue((shared / "out.eml").is_symlink())  # it was put there
        self.assertEqual("root's", secret.read_text())

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
        self.give(unit, NOBODY, NOBODY)
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
