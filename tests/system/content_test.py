#!/usr/bin/env python3
"""libvmcontent.so, which composes and converts: loaded when it is needed, missed only then, and never
another version's."""

import pathlib
import re
import shutil
import tempfile
import unittest

import media
import vmunit
from mailrig import MailRig, wait_until

LIBRARY = "libvmcontent.so"
rig = None
users = None


def setUpModule():
    global rig, users
    rig = unittest.enterModuleContext(MailRig({f"user{n}": "secret" for n in range(4)}))
    users = iter(rig.users)


class ContentTest(vmunit.TestCase):
    def setUp(self):
        super().setUp()
        self.user = next(users)
        built = vmunit.build_directory()
        self.installed = self.enterContext(tempfile.TemporaryDirectory(prefix="vminstalled."))
        for part in ("bin", "lib"):
            shutil.copytree(built / part, f"{self.installed}/{part}")
        self.library = pathlib.Path(self.installed) / "lib" / LIBRARY
        self.original = self.library.read_bytes()
        self.installation = self.unit(build=pathlib.Path(self.installed))

    def fax(self):
        tiff = pathlib.Path(self.installed) / "fax.tiff"
        media.write_fax(tiff, 1)
        return tiff

    def put_another_version(self):
        other = re.sub(rb"vmcontent-\d", lambda at: at[0][:-1] + (b"8" if at[0][-1:] != b"8" else b"7"), self.original)
        self.assertNotEqual(self.original, other)
        self.library.unlink()  # as a package manager does; who has it open keeps the old one
        self.library.write_bytes(other)

    def wait_for_status(self, words):
        def status():
            return self.installation.ctl("status").stdout

        wait_until(lambda: f"{words} in {status()}", lambda: words in status(), 60)

    def put_back(self):
        self.library.unlink(missing_ok=True)
        self.library.write_bytes(self.original)
        self.library.chmod(0o755)

    def test_only_what_needs_it_needs_it(self):
        self.installation.mailbox("101", rig, self.user)
        self.library.unlink()
        self.installation.ctl("status")
        self.installation.config("mailbox", "list")
        self.installation.once()
        for kind, file in (("voice", media.recording("vm-intro")), ("fax", self.fax())):
            with self.subTest(kind=kind):
                done = self.installation.ctl(
                    "message", "add", "--mailbox", "101", "--kind", kind, "--file", file, status=78
                )
                self.assertIn(LIBRARY, done.stderr)
                self.assertIn("install vmemail as a whole", done.stderr)
                self.assertNotIn(str(file), done.stderr)
        self.assertIn(str(self.library), self.installation.run("vmemaild", "--check", status=78).stderr)
        self.assertEqual("No messages.\n", self.installation.ctl("message", "list", "--mailbox", "101").stdout)
        self.put_back()
        self.installation.run("vmemaild", "--check")
        self.installation.add("101", media.recording("vm-intro"))

    def test_a_message_waits_for_it(self):
        self.installation.mailbox("101", rig, self.user)
        identity = self.installation.add("101", media.recording("vm-intro"))
        self.library.unlink()
        with self.installation.agent():
            self.wait_for_status(LIBRARY)
            self.assertEqual("queued", self.installation.state(identity))
            self.put_back()
            self.installation.ctl("queue", "retry", identity)
            self.installation.wait_for_state(identity, "sent")
        [mail] = rig.wait_for_mail(self.user, 1)
        self.assertEqual(identity, mail["X-VM-Message-Id"])

    def test_another_library_is_refused(self):
        for content, said in (
            ((self.library.parent / "libsmtpimap4.so").read_bytes(), "it has no vm_content"),
            (b"", "file too short"),
        ):
            self.library.unlink()
            self.library.write_bytes(content)
            done = self.installation.run("vmemaild", "--check", status=78)
            self.assertIn(said, done.stderr)
            self.assertIn(str(self.library), done.stderr)

    # As when a package was upgraded while the agent runs.
    def test_another_version_is_refused(self):
        self.installation.mailbox("101", rig, self.user)
        identity = self.installation.add("101", media.recording("vm-intro"))
        with self.installation.agent():
            self.installation.wait_for_state(identity, "sent")
        second = self.installation.add("101", media.recording("vm-intro"))
        self.put_another_version()
        with self.installation.agent():
            self.wait_for_status("another version")
            self.assertEqual("queued", self.installation.state(second))
        self.assertEqual(1, len(rig.wait_for_mail(self.user, 1)))


if __name__ == "__main__":
    vmunit.main()
