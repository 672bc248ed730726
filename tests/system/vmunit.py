"""A voice-mail unit of a test's own: a temporary root and the built programs run against it."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import passwords
from mailrig import dies_with_parent, wait_until

WORKERS = 2  # of an agent
COMMAND_SECONDS = 240  # under sanitizers and on a busy machine
# Who is started in the background may have it ignored, and programs of ours would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Failed(Exception):
    """A command ended otherwise than expected."""


def build_directory():
    return pathlib.Path(os.environ.get("VM_BUILD", "build")).absolute()


def children(pid):
    """The process ids of a process's direct children."""
    try:
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def preloaded(build, library, **variables):
    """The environment in which programs get a library of tests/system/preload, which looks at `variables`."""
    # The address sanitizer wants to be the first library, and does as well without.
    sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    values = {"LD_PRELOAD": build / f"test/lib{library}.so", "ASAN_OPTIONS": sanitizer.lstrip(":"), **variables}
    return {name: str(value) for name, value in values.items()}


def agents(root):
    """The process ids of the masters and workers that run on a root."""
    found = []
    for command in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            program, *arguments = command.read_text(errors="replace").split("\0")
            state = (command.parent / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
            if program.endswith("/vmemaild") and str(root) in arguments and state not in "ZX":
                found.append(int(command.parent.name))
    return found


class Unit:
    """Creates the root with `vmconfig init` and takes the plugins from the build tree."""

    def __init__(self, plugin="libsmtpimap4.so", build=None, root=None, environment=None):
        self.build = build or build_directory()
        self.root = pathlib.Path(root or tempfile.mkdtemp(prefix="vmunit."))
        self.environment = dict(environment or {})  # what every program gets besides ours
        self.also_said = lambda: ""  # what helps to understand a failure, besides the trace
        self.config("init")
        self.use_plugin(plugin)

    def use_plugin(self, name):
        self.config("misc", "set", "g_szEmailDllPath", str(self.build / "lib" / name))

    def remove(self):
        try:
            self.check_no_password_in_files()
        finally:
            shutil.rmtree(self.root, ignore_errors=True)

    def check_no_password_in_files(self):
        for file in self.root.rglob("*"):
            if file.is_file() and self.root / "etc/mailboxes" not in file.parents:
                with contextlib.suppress(FileNotFoundError):  # a process may still be ending
                    if passwords.is_in(file.read_bytes()):
                        raise Failed(f"{file.relative_to(self.root)} holds a password")

    # ---- programs -----------------------------------------------------------------------------------
    def command(self, program, *arguments):
        return [str(self.build / "bin" / program), "--root", str(self.root), *map(str, arguments)]

    def run(self, program, *arguments, status=0, stdin=None):
        """Runs a program to its end and returns it; another exit status than `status` is Failed, and
        so is a password in its output. None takes any status. `stdin`: a text for its standard input."""
        done = subprocess.run(
            self.command(program, *arguments),
            capture_output=True,
            text=True,
            **({"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}),
            timeout=COMMAND_SECONDS,
            env={**os.environ, **self.environment},
        )
        if passwords.is_in(done.stdout) or passwords.is_in(done.stderr):
            raise Failed(f"{program} {' '.join(map(str, arguments))}: prints a password")
        if status is not None and done.returncode != status:
            raise Failed(
                f"{program} {' '.join(map(str, arguments))}: status {done.returncode}, expected {status}\n"
                f"{done.stdout}{done.stderr}{self.trace()[-4000:]}{self.also_said()}"
            )
        return done

    def config(self, *arguments, status=0):
        return self.run("vmconfig", *arguments, status=status)

    def ctl(self, *arguments, status=0):
        return self.run("vmctl", *arguments, status=status)

    def once(self, *arguments, status=0):
        return self.run("vmemaild", "--once", *arguments, status=status)

    # ---- what tests do most ---------------------------------------------------------------------------
    def mailbox(self, number, rig, user, security="starttls", **options):
        """Creates a mailbox that pushes to `user` over one of the rig's ports; other options by name,
        with _ for the blanks."""
        values = {
            "Email Integration": "Yes",
            "Email Name": rig.address(user),
            "Smtp Server": rig.host,
            "Smtp Port": rig.ports[security],
            "Smtp SSL": {"starttls": "STARTTLS", "tls": "Yes"}.get(security.split("-")[0], "No"),
            "Smtp Authentication": "None" if security == "relay" else "Auto",
            "Smtp Account": user,
            "Smtp Password": rig.users[user],
            "TLS CA File": rig.ca_file,
        }
        values.update({name.replace("_", " "): value for name, value in options.items()})
        self.config("mailbox", "create", number)
        self.set(number, **values)

    def set(self, number, **options):
        pairs = [f"{name.replace('_', ' ')}={value}" for name, value in options.items()]
        self.config("mailbox", "set", number, *pairs)

    def add(self, number, file, kind="voice", *arguments):
        done = self.ctl("message", "add", "--mailbox", number, "--kind", kind, "--file", file, *arguments)
        return done.stdout.strip()

    def message(self, identity):
        return json.loads(self.ctl("message", "show", identity, "--json").stdout)

    def delivery(self, identity):
        return self.message(identity)["delivery"]

    def state(self, identity):
        return self.delivery(identity)["state"]

    def wait_for_state(self, identity, *states, seconds=60):
        wait_until(
            lambda: f"{' or '.join(states)} delivery of {identity}; {self.delivery(identity)}; {self.trace()[-3000:]}",
            lambda: self.state(identity) in states,
            seconds,
        )

    def history(self, identity):
        return json.loads(self.ctl("message", "history", identity, "--json").stdout)["history"]

    def trace(self):
        files = sorted(self.root.glob("var/trace/vmemaild*.trace"))
        return "\n".join(file.read_text(errors="replace") for file in files)

    def agent(self, environment=None):
        return Agent(self, environment)


class Agent:
    """`vmemaild --foreground` as a context manager; leaving it stops the agent by SIGTERM."""

    def __init__(self, unit, environment=None):
        self._unit = unit
        self._log = open(unit.root / "agent.log", "wb")
        self.process = subprocess.Popen(
            unit.command("vmemaild", "--foreground"),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, **unit.environment, **(environment or {})},
            preexec_fn=dies_with_parent,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def output(self):
        return (self._unit.root / "agent.log").read_text(errors="replace")

    def workers(self):
        return children(self.process.pid)

    def wait_for_workers(self):
        return wait_until(lambda: "worker of the agent; " + self.output(), self._workers_or_end)

    def _workers_or_end(self):
        if self.process.poll() is not None:
            raise Failed(f"vmemaild ended with {self.process.returncode}: {self.output()}")
        # Before it has the lock its children are none: it looks at the plugin in one.
        lock = self._unit.root / "run/vmemaild.lock"
        held = lock.exists() and lock.read_text().strip() == str(self.process.pid)
        workers = self.workers() if held else []
        return workers if len(workers) >= WORKERS else []

    def stop(self):
        """Asks the agent to stop and returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(COMMAND_SECONDS)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self._log.close()


class TestCase(unittest.TestCase):
    """A test with files of its own and as many units as it wants."""

    maxDiff = None

    def setUp(self):
        self.files = pathlib.Path(tempfile.mkdtemp(prefix="vmtest."))
        self.addCleanup(shutil.rmtree, self.files, ignore_errors=True)

    def unit(self, plugin="libsmtpimap4.so", build=None):
        unit = Unit(plugin, build)
        self.addCleanup(unit.remove)
        return unit


def main():
    """Runs the tests of the calling file; closes with "N passed, N failed"."""
    arguments = [a for a in sys.argv[1:] if not a.startswith("-")]
    loader = unittest.TestLoader()
    module = sys.modules["__main__"]
    tests = loader.loadTestsFromNames(arguments, module) if arguments else loader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(tests)
    failed = len(result.failures) + len(result.errors)
    # A module whose servers did not start has run no test at all; a skipped test has passed nothing.
    print(f"{max(result.testsRun - failed - len(result.skipped), 0)} passed, {failed} failed")
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)
