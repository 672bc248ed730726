#!/usr/bin/env python3
"""The example of etc/examples, which is what firmware does with libvmstore.so, beside a running agent; and the
library as it is installed. The functions are tested in tests/library."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import media
import vmunit
from mailclient import MailClient
from mailrig import MailRig, dies_with_parent

rig = None


def setUpModule():
    global rig
    rig = unittest.enterModuleContext(MailRig({"ann": "secret"}))


class FirmwareTest(vmunit.TestCase):
    def setUp(self):
        super().setUp()
        self.recording = self.files / "message.wav"
        media.write_recording(self.recording, 2)

    @contextlib.contextmanager
    def example(self, unit, *arguments, **environment):
        """The running example; what it printed is in the test's hands."""
        command = [unit.build / "test/vmstore-example", *arguments]
        with subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "VM_ROOT": str(unit.root), **environment},
            preexec_fn=dies_with_parent,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def end(self, process, status=0):
        printed, said = process.communicate(timeout=vmunit.COMMAND_SECONDS)
        self.assertEqual(status, process.returncode, printed + said)
        return printed.splitlines(), said

    def test_a_recording_reaches_the_account_and_the_lamp_follows_it(self):
        unit = self.unit()
        unit.mailbox(
            *("101", rig, "ann"),
            **{
                "Imap4 Server": rig.host,
                "Imap4 Port": rig.ports["imaps"],
                "Imap4 SSL": "Yes",
                "Imap4 Account": "ann",
                "Imap4 Password": rig.users["ann"],
            },
        )
        first, second = "line3/1", "line3/2"
        with unit.agent(), self.example(unit, "101", self.recording, "5551234", first) as firmware:
            identity = firmware.stdout.readline().split()[-1]
            self.assertEqual("mailbox 101: lamp on, 1 new, 0 old\n", firmware.stdout.readline())
            [mail] = rig.wait_for_mail("ann", 1)
            self.assertEqual(identity, mail["X-VM-Message-Id"])
            with MailClient(rig, "ann") as client:
                client.add_flags("INBOX", identity, r"\Seen")
            printed, _ = self.end(firmware)
        self.assertEqual("mailbox 101: lamp off, 0 new, 1 old", printed[-1])
        # The same origin again is the same message, which was heard.
        with self.example(unit, "101", self.recording, "5551234", first) as firmware:
            printed, _ = self.end(firmware)
        self.assertEqual([f"stored as {identity}", "mailbox 101: lamp off, 0 new, 1 old"], printed)
        # The next recording is another message, though it lies at the same place.
        for count, more in enumerate(([], ["5551234", second]), 1):
            with self.example(unit, "101", self.recording, *more) as firmware:
                self.assertNotIn(identity, firmware.stdout.readline())
                self.assertEqual(f"mailbox 101: lamp on, {count} new, 1 old\n", firmware.stdout.readline())

    def test_errors_are_vmctls(self):
        unit = self.unit()
        unit.config("mailbox", "create", "101")
        self.recording.write_bytes(self.recording.read_bytes()[:-1])
        with self.example(unit, "101", self.recording) as firmware:
            _, said = self.end(firmware, 65)
        self.assertIn(f"{self.recording}: truncated", said)
        add = ("message", "add", "--mailbox", "101", "--kind", "voice", "--file", self.recording)
        self.assertEqual(said.partition(": ")[2], unit.ctl(*add, status=65).stderr.partition(": ")[2])

    def test_the_library_finds_its_other_half_through_a_link(self):
        unit = self.unit()
        unit.config("mailbox", "create", "101")
        place = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="vminstalled.")))
        for directory in ("vmemail", "system"):
            (place / directory).mkdir()
        for library in ("libvmstore.so.1", "libvmcontent.so"):
            shutil.copy(unit.build / "lib" / library, place / "vmemail")
        (place / "system/libvmstore.so.1").symlink_to("../vmemail/libvmstore.so.1")
        search = {"LD_LIBRARY_PATH": str(place / "system")}
        with self.example(unit, "101", self.recording, **search) as firmware:
            self.assertIn("stored as", firmware.stdout.readline())
        (place / "vmemail/libvmcontent.so").unlink()
        with self.example(unit, "101", self.recording, **search) as firmware:
            _, said = self.end(firmware, 78)
        self.assertIn(f"{place}/vmemail/libvmcontent.so", said)


if __name__ == "__main__":
    vmunit.main()
