#!/usr/bin/env python3
"""Received faxes as HylaFAX hands them on: its own faxrcvd and faxinfo with our part of FaxDispatch."""

import json
import os
import pathlib
import shutil
import subprocess

import media
import vmunit

HYLAFAX = pathlib.Path("/usr/local/lib/vmemail-tests/hylafax")  # scripts/deps
TREE = pathlib.Path(__file__).resolve().parent.parent.parent
MAP = "# whose\n5550101   101   # Ann\nttyS1 102\n0049 103\n"


class HylafaxTest(vmunit.TestCase):
    def setUp(self):
        super().setUp()
        self.machine = self.unit()
        for number in ("101", "102", "103"):
            self.machine.config("mailbox", "create", number)
        self.spool = self.files / "hylafax"
        shutil.copytree(HYLAFAX / "var/spool/hylafax/bin", self.spool / "bin")
        shutil.copytree(HYLAFAX / "etc/hylafax", self.spool / "etc")
        (self.spool / "recvq").mkdir()
        shutil.copy(TREE / "etc/hylafax/FaxDispatch.vmemail", self.spool / "etc")
        self.mails = self.files / "mails"
        sendmail = self.files / "sendmail"
        sendmail.write_text(f'#!/bin/sh\necho "$*" >> {self.mails}\ncat >> {self.mails}\n')
        sendmail.chmod(0o755)
        sbin = self.files / "sbin"
        sbin.mkdir()
        (sbin / "faxinfo").symlink_to(HYLAFAX / "usr/lib/hylafax/bin/faxinfo")
        tools = {"AWK": "awk", "SED": "sed", "GREP": "grep", "CAT": "cat", "TTYCMD": "false", "TIFFBIN": "/usr/bin"}
        settings = {**tools, "SENDMAIL": sendmail, "SBIN": sbin, "TEMPLATE": "en", "SPOOL": self.spool, "CHARSET": "UTF-8"}
        (self.spool / "etc/setup.cache").write_text("".join(f"{k}='{v}'\n" for k, v in settings.items()))
        self.dispatch()
        self.fax = self.files / "fax.tif"
        media.write_fax(self.fax, 2)

    def dispatch(self, map=MAP, vmctl=None):
        command = vmctl or " ".join(self.machine.command("vmctl"))
        (self.spool / "etc/vmemail.map").write_text(map)
        (self.spool / "etc/FaxDispatch").write_text(f"VMEMAIL_VMCTL='{command}'\n. etc/FaxDispatch.vmemail\n")

    def receive(self, name, *caller, device="ttyS0", error="", commid="000000042", sender=None, pages=True):
        """What faxgetty does with a call; returns what faxrcvd said and the mails it wrote, and empties these."""
        file = f"recvq/{name}.tif"
        if pages and not (self.spool / file).exists():
            shutil.copy(self.fax, self.spool / file)
            # What the other machine says of itself: ImageDescription, as HylaFAX writes it.
            subprocess.run(["tiffset", "-s", "270", sender or "<UNSPECIFIED>", self.spool / file], check=True, capture_output=True)
            (self.spool / file).chmod(0o600)
        done = subprocess.run(
            ["bin/faxrcvd", file, device, commid, error, *caller],
            cwd=self.spool,
            env={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(HYLAFAX / "usr/lib/hylafax"), "TMPDIR": str(self.files)},
            capture_output=True,
            text=True,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        mails = self.mails.read_text() if self.mails.exists() else ""
        self.mails.unlink(missing_ok=True)
        return done.stderr, mails

    def faxes(self):
        listed = json.loads(self.machine.ctl("message", "list", "--all", "--json").stdout)["messages"]
        return [(m["mailbox"], m["caller_number"], m["caller_name"], m["pages"]) for m in listed if m["kind"] == "fax"]

    def test_a_fax_becomes_a_message_and_no_mail_of_hylafax(self):
        self.assertEqual("", self.receive("fax000000001", "5559999", "Ann & Sons 'Ltd' $x", "5550101")[1])
        self.assertEqual([("101", "5559999", "Ann & Sons 'Ltd' $x", 2)], self.faxes())
        # Called again, and for another one.
        self.receive("fax000000001", "5559999", "Ann", "5550101")
        self.assertEqual(1, len(self.faxes()))
        self.receive("fax000000002", "-1", "--urgent", "5550101")
        self.assertEqual([("101", "-1", "--urgent", 2)], self.faxes()[1:])

    def test_whose_it_is(self):
        self.receive("fax000000001", "1", "", "", device="ttyS1")
        self.receive("fax000000002", "2", "", "5550101", device="ttyS1")
        self.receive("fax000000003", "3", "", "0049")
        self.assertEqual([("102", "1"), ("101", "2"), ("103", "3")], [fax[:2] for fax in self.faxes()])
        # Nobody's: HylaFAX tells its fax master as it does. (A number is a text: 49 is not 0049.)
        said, mails = self.receive("fax000000004", "4", "", "49")
        self.assertIn("no mailbox", said)
        self.assertIn("FaxMaster", mails)
        self.dispatch(MAP + "* 103\n")
        self.assertEqual("", self.receive("fax000000004", "4", "", "49")[1])
        self.assertEqual([("102", "1"), ("101", "2"), ("103", "3"), ("103", "4")], [fax[:2] for fax in self.faxes()])

    def test_the_other_machine_names_itself(self):
        self.receive("fax000000001", device="ttyS1", sender="+49 30 1234")
        self.receive("fax000000002", "<NONE>", "<NONE>", device="ttyS1", sender="ACME Corp")
        self.receive("fax000000003", "", "", device="ttyS1")
        self.assertEqual([("+49 30 1234", ""), ("", "ACME Corp"), ("", "")], [fax[1:3] for fax in self.faxes()])

    def test_no_fax_is_lost(self):
        (self.machine.root / "var").rename(self.files / "var")
        said, mails = self.receive("fax000000001", "5559999", "", "5550101")
        self.assertIn("vmemail: recvq/fax000000001.tif: vmctl: ", said)
        self.assertIn("FaxMaster", mails)
        (self.files / "var").rename(self.machine.root / "var")
        self.dispatch(vmctl="/nonexistent/vmctl")
        self.assertIn("FaxMaster", self.receive("fax000000002", "5559999", "", "5550101")[1])
        self.dispatch()
        (self.spool / "recvq/fax000000003.tif").write_bytes(b"II*\0")
        self.assertIn("FaxMaster", self.receive("fax000000003", "5559999", "", "5550101")[1])
        (self.spool / "etc/vmemail.map").unlink()
        self.assertIn("FaxMaster", self.receive("fax000000004", "5559999", "", "5550101")[1])
        self.assertEqual([], self.faxes())

    def test_calls_that_went_wrong(self):
        # Without a page there is no file; with an error the fax master is told besides.
        mails = self.receive("fax000000001", "5559999", "", "5550101", error="No carrier", pages=False)[1]
        self.assertIn("FaxMaster", mails)
        self.assertEqual([], self.faxes())
        mails = self.receive("fax000000002", "5559999", "", "5550101", error="Page 3: lost carrier")[1]
        self.assertIn("Fax received with errors", mails)
        self.assertEqual(1, len(self.faxes()))

    def test_a_file_that_only_its_owner_may_read(self):
        """As the hook hands it over: open, to a program of another user."""
        with open(self.fax, "rb") as fax:
            os.chmod(self.fax, 0o600)
            command = self.machine.command("vmctl", "message", "add", "--mailbox", "101", "--kind", "fax", "--file", "-")
            done = subprocess.run(command, stdin=fax, capture_output=True, text=True)
        self.assertEqual(0, done.returncode, done.stderr)
        for broken in (b"", b"no fax"):
            done = subprocess.run(command, input=broken, capture_output=True)
            self.assertEqual(65, done.returncode)
            self.assertIn(b"standard input", done.stderr)
        self.assertEqual([("101", "", "", 2)], self.faxes())
        self.assertEqual([], list((self.machine.root / "var/spool").iterdir()))


if __name__ == "__main__":
    vmunit.main()
