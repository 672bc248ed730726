#!/usr/bin/env python3
"""The Debian packages in a bare Debian 12: installed, the main job done there, upgraded, removed, purged.

VM_BUILD names the build tree, in whose deb/ the packages lie (`make check-deb`). Needs root and a mirror of Debian,
from which a bare system is made in a temporary directory. The mail servers run outside of it, on loopback.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/system"))
import media  # noqa: E402
import passwords  # noqa: E402
import vmunit  # noqa: E402
from mailclient import MailClient  # noqa: E402
from mailrig import MailRig, dies_with_parent, wait_until  # noqa: E402

SUITE = "bookworm"
INSTALL_SECONDS = 900
DAEMON = "/usr/sbin/vmemaild"
SERVICE = "/lib/systemd/system/vmemail.service"
OLD = "0.0.1"  # the version that is upgraded from
# Each command gets the system's file systems in a mount namespace of its own, so that none is left mounted.
ENTER = (
    "mount -t proc proc $0/proc && mount --rbind /sys $0/sys && mount --rbind /dev $0/dev && "
    'exec chroot "$0" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"'
)


class BareSystem:
    """A bare Debian in a directory."""

    def __init__(self, directory):
        self.directory = directory
        command = ["debootstrap", "--variant=minbase", SUITE, str(directory), self._mirror()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        if done.returncode != 0:
            raise vmunit.Failed(f"debootstrap: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        # The sources and the way to them are this machine's.
        for part in ("sources.list", "sources.list.d", "apt.conf.d", "trusted.gpg.d", "preferences.d"):
            source = pathlib.Path("/etc/apt") / part
            if source.is_dir():
                shutil.copytree(source, directory / "etc/apt" / part, dirs_exist_ok=True)
            elif source.exists():
                shutil.copy(source, directory / "etc/apt" / part)
        for file in ("/etc/resolv.conf", "/etc/hosts"):
            shutil.copy(file, directory / file[1:])
        # Nothing is started by packages: there is no init.
        policy = directory / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        self.run("apt-get", "-q", "update")

    @staticmethod
    def _mirror():
        return os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")

    def command(self, *arguments):
        return ["unshare", "--mount", "--propagation", "slave", "sh", "-c", ENTER, str(self.directory), *map(str, arguments)]

    def run(self, *arguments, status=0):
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=INSTALL_SECONDS
        )
        if status is not None and done.returncode != status:
            raise vmunit.Failed(
                f"{' '.join(map(str, arguments))}: status {done.returncode}, expected {status}\n"
                f"{done.stdout[-4000:]}{done.stderr[-4000:]}"
            )
        return done

    def install(self, packages):
        names = []
        for package in packages:
            shutil.copy(package, self.directory / "root")
            names.append(f"/root/{package.name}")
        return self.run("apt-get", "-q", "-y", "--no-install-recommends", "install", *names)


class Manager:
    """What systemd does of type notify: a socket that the daemon tells its state to."""

    def __init__(self, directory):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.path = directory / "run/notify"
        self.socket.bind(str(self.path))
        self.path.chmod(0o777)
        self.told = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        with contextlib.suppress(OSError):
            while True:
                self.told.append(self.socket.recv(4096).decode())

    def close(self):
        self.path.unlink()
        self.socket.close()


class PackageTest(vmunit.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.packages = vmunit.build_directory() / "deb"
        cls.place = pathlib.Path(tempfile.mkdtemp(prefix="vmdeb."))
        cls.addClassCleanup(shutil.rmtree, cls.place, ignore_errors=True)
        os.chmod(cls.place, 0o755)
        cls.system = BareSystem(cls.place / "debian")

    def package(self, name, version=None):
        """The file of a package: of `version`, or of the one that is not OLD."""
        [found] = [file for file in self.packages.glob(f"{name}_*.deb") if (f"_{OLD}_" in file.name) == (version == OLD)]
        return found

    @contextlib.contextmanager
    def agent(self):
        """The agent as the unit file starts it: in the foreground, as its user, told of by $NOTIFY_SOCKET."""
        manager = Manager(self.system.directory)
        command = self.system.command(
            *("setpriv", "--reuid", "vmemail", "--regid", "vmemail", "--init-groups", "--no-new-privs", "env"),
            *("NOTIFY_SOCKET=/run/notify", "WATCHDOG_USEC=2000000", DAEMON, "--foreground"),
        )
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=dies_with_parent
        ) as process:
            said = []
            reader = threading.Thread(target=lambda: said.extend(process.stderr), daemon=True)
            reader.start()
            try:
                wait_until(lambda: f"sign of life: {manager.told} {said}", lambda: "WATCHDOG=1" in manager.told)
                yield manager
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)
                reader.join(10)
                wait_until(lambda: f"goodbye: {manager.told}", lambda: "STOPPING=1" in manager.told)
                manager.close()
        self.assertEqual(0, process.returncode, "".join(said))

    def test_install_work_upgrade_remove_purge(self):
        system = self.system
        old = [self.package(name, OLD) for name in ("vmemail", "vmemail-imap")]
        new = [self.package(name) for name in ("vmemail", "vmemail-imap", "vmemail-pop3")]
        data = [system.directory / "var/lib/vmemail/vm.db", system.directory / "etc/vmemail/mailboxes/101.ini"]

        # Installed with one plugin, there is a unit, whose user is its own.
        system.install(old)
        self.assertEqual("", system.run("find", "/usr/local", "-type", "f").stdout)
        self.assertIn("libsmtpimap4.so", system.run("vmemaild", "--check").stdout)
        directories = [f"/usr/local/vm/{part}" for part in ("etc", "var", "run")]
        modes = system.run("stat", "-L", "-c", "%U %a", *directories).stdout.splitlines()
        self.assertEqual(["vmemail 750", "vmemail 700", "vmemail 750"], modes)

        # systemd takes the service, and finds little that it could do to the system.
        self.assertEqual("", system.run("systemd-analyze", "verify", "--man=no", SERVICE).stderr)
        system.run("systemd-analyze", "security", "--offline=true", "--threshold=20", SERVICE)

        with MailRig({"ann": passwords.PASSWORD}) as rig:
            self.main_job(rig)
        add = ("vmctl", "message", "add", "--mailbox", "101", "--kind", "voice", "--file", "/root/message.wav")
        system.run(*add, "--private")

        def kept():
            return [
                system.run("vmctl", "message", "list", "--all", "--json").stdout,
                system.run("vmconfig", "mailbox", "show", "101", "--json").stdout,
                (system.directory / "etc/vmemail/misc.ini").read_text(),
            ]

        # An upgrade keeps all of it; the other plugin is chosen by the path that the manual names.
        before = kept()
        system.install(new)
        self.assertEqual(before, kept())
        system.run("vmconfig", "misc", "set", "g_szEmailDllPath", "/usr/local/vm/lib/libsmtppop3.so")
        self.assertIn("libsmtppop3.so", system.run("vmemaild", "--check").stdout)

        libraries = ("libvmstore1", "libvmstore-dev")
        system.install([self.package(name) for name in libraries])
        self.firmware()
        system.run("apt-get", "-q", "-y", "remove", *libraries)

        before = kept()
        for how in ("remove", "purge"):
            system.run("apt-get", "-q", "-y", how, "vmemail", "vmemail-imap", "vmemail-pop3")
            self.assertTrue(all(file.exists() for file in data), how)
            self.assertFalse((system.directory / "usr/bin/vmctl").is_symlink(), how)
        self.assertEqual("", system.run("find", "/usr/local", "-name", "vm*").stdout)

        # Installed again, it goes on with what was left.
        system.install(new)
        self.assertEqual(before, kept())

    def firmware(self):
        """The example, compiled against what libvmstore-dev has installed, works there, and for the unit's user only."""
        system = self.system
        place = system.directory
        [libraries] = (place / "usr/lib").glob("*-linux-gnu")
        command = ["cc", "-o", place / "tmp/firmware", ROOT / "etc/examples/vmstore-example.c", f"-I{place}/usr/include"]
        command += [f"-L{libraries}", "-lvmstore", "-Wl,--unresolved-symbols=ignore-in-shared-libs"]
        subprocess.run(command, check=True, timeout=INSTALL_SECONDS)
        self.assertIn("-lvmstore", (libraries / "pkgconfig/vmstore.pc").read_text())
        media.write_recording(place / "tmp/firmware.wav", 2)
        system.run("vmconfig", "mailbox", "create", "102")
        firmware = ("/tmp/firmware", "102", "/tmp/firmware.wav", "5551234")
        self.assertIn("user", system.run(*firmware, status=77).stderr)
        as_user = ("setpriv", "--reuid", "vmemail", "--regid", "vmemail", "--init-groups")
        with subprocess.Popen(
            system.command(*as_user, *firmware), stdout=subprocess.PIPE, text=True, preexec_fn=dies_with_parent
        ) as process:
            identity = process.stdout.readline().split()[-1]
            self.assertEqual("mailbox 102: lamp on, 1 new, 0 old\n", process.stdout.readline())
            system.run("vmctl", "message", "mark", identity, "--read")
            self.assertIn("lamp off", process.communicate(timeout=INSTALL_SECONDS)[0])
        self.assertEqual(0, process.returncode)

    def main_job(self, rig):
        """A message reaches the account, and what is deleted there is deleted on the phone."""
        system = self.system
        ca_file = system.directory / "etc/vmemail/ca.pem"
        shutil.copy(rig.ca_file, ca_file)
        ca_file.chmod(0o644)
        options = {
            "Email Name": rig.address("ann"),
            "Smtp Server": rig.host,
            "Smtp Port": rig.ports["starttls"],
            "Smtp SSL": "STARTTLS",
            "Smtp Authentication": "Auto",
            "Smtp Account": "ann",
            "Smtp Password": rig.users["ann"],
            "Imap4 Server": rig.host,
            "Imap4 Port": rig.ports["imaps"],
            "Imap4 SSL": "Yes",
            "Imap4 Account": "ann",
            "Imap4 Password": rig.users["ann"],
            "TLS CA File": "etc/ca.pem",
            "Email Integration": "Yes",
        }
        system.run("vmconfig", "mailbox", "create", "101")
        system.run("vmconfig", "mailbox", "set", "101", *(f"{key}={value}" for key, value in options.items()))
        media.write_recording(system.directory / "root/message.wav", 2)
        add = ("vmctl", "message", "add", "--mailbox", "101", "--kind", "voice", "--file", "/root/message.wav")
        with self.agent() as manager:
            self.assertIn("READY=1", manager.told)
            identity = system.run(*add, "--caller-number", "5551234").stdout.strip()
            [mail] = rig.wait_for_mail("ann", 1)
            self.assertEqual(identity, mail["X-VM-Message-Id"])

            def shown():
                return json.loads(system.run("vmctl", "message", "show", identity, "--json").stdout)

            wait_until(shown, lambda: shown()["link"])
            with MailClient(rig, "ann") as client:
                client.add_flags("INBOX", identity, r"\Deleted")
                client.expunge("INBOX", identity)
            wait_until(shown, lambda: shown()["state"] == "deleted")


if __name__ == "__main__":
    vmunit.main()
