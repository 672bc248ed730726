#!/usr/bin/env python3
"""A full disk, and one that has become read-only: what is refused says so and prints no id, what was
promised stays, nothing is sent or deleted for it, and all goes on by itself when there is room again. The
root, or the part of it in question, is a small file system of the test's own."""

import json
import os
import pathlib
import re
import shutil
import tempfile
import unittest

import media
import smalldisk
import vmunit
from mailclient import MailClient
from mailrig import MailRig, wait_until
from passwords import PASSWORD
from scriptedsmtp import DeliveringSmtp

SIZE = 3 << 20
RECORDING = "digits/1"


@unittest.skipUnless(smalldisk.is_possible(), "mounting is not permitted here")
class DiskTest(vmunit.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rig = MailRig({f"user{n}": PASSWORD for n in range(20)})
        cls.addClassCleanup(cls.rig.stop)
        cls.rig.start()
        cls.users = iter(cls.rig.users)

    def setUp(self):
        super().setUp()
        self.user = next(self.users)
        self.smtp = DeliveringSmtp(self.rig, self.user)
        self.addCleanup(self.smtp.close)

    def mount(self, directory):
        disk = smalldisk.Disk(directory, SIZE)
        self.addCleanup(disk.remove)
        return disk

    def small_unit(self, part=None):
        """A unit with one mailbox, and the small disk that its root lies on, or a part of it."""
        root = pathlib.Path(tempfile.mkdtemp(prefix="vmsmall."))
        self.addCleanup(shutil.rmtree, root, ignore_errors=True)
        disk = None if part else self.mount(root)
        unit = vmunit.Unit(root=root)
        if part:
            disk = self.mount(root / part)
            for inside in ("media", "spool", "trace") if part == "var" else ():
                (root / part / inside).mkdir(0o700)
        unit.mailbox(
            "101", self.rig, self.user, "relay",
            Smtp_Port=self.smtp.port, Email_Integration_Sync_Mode="All Folders", Imap4_Server=self.rig.host,
            Imap4_Port=self.rig.ports["imaps"], Imap4_SSL="Yes", Imap4_Account=self.user,
            Imap4_Password=self.rig.users[self.user],
        )  # fmt: skip
        return unit, disk

    def add(self, unit):
        return unit.add("101", media.recording(RECORDING))

    def is_refused(self, unit, words, *arguments):
        """A command that must fail, in one line that says why and what to do."""
        done = unit.ctl(*arguments, status=None)
        self.assertNotIn(done.returncode, (0, 64, 65, 66, 78), done.stderr)
        self.assertEqual("", done.stdout)
        self.assertEqual(1, len(done.stderr.strip().splitlines()), done.stderr)
        self.assertRegex(done.stderr, words)

    def add_is_refused(self, unit, words="(?i)no space left|disk is full"):
        self.is_refused(
            unit, words, "message", "add", "--mailbox", "101", "--kind", "voice", "--file", media.recording(RECORDING)
        )

    def messages(self, unit):
        listed = unit.ctl("message", "list", "--all", "--json", "--mailbox", "101").stdout
        return {message["id"]: message for message in json.loads(listed)["messages"]}

    def in_account(self):
        """id -> how often it lies in the INBOX."""
        with MailClient(self.rig, self.user) as mail:
            ids = [one.id for one in mail.mails()]
        return {identity: ids.count(identity) for identity in ids}

    def recordings(self, unit):
        return sorted(f.name for f in (unit.root / "var/media").rglob("*") if f.is_file() and f.name != "ballast")

    def status(self, unit):
        [status] = json.loads(unit.ctl("status", "--json").stdout)["mailboxes"]
        return status

    # ---- adding ---------------------------------------------------------------------------------------------
    def test_adding_until_the_disk_is_full(self):
        """At some point each of the steps is the one without room: the copy, the directory, the database."""
        unit, disk = self.small_unit()
        added, refused = [self.add(unit)], 0  # the database is made
        for left in (*range(200_000, -1, -4096), 0):
            disk.fill(left)
            done = unit.ctl(
                "message", "add", "--mailbox", "101", "--kind", "voice", "--file", media.recording(RECORDING),
                status=None,
            )  # fmt: skip
            if done.returncode == 0:
                added.append(done.stdout.strip())
                continue
            refused += 1
            self.assertEqual("", done.stdout)
            self.assertRegex(done.stderr, "(?i)no space left|disk is full")
            self.assertRegex(done.stderr, "free")
            if refused == 5:
                break
        self.assertEqual(5, refused)
        self.assertGreater(len(added), 1)
        self.assertEqual(set(added), set(self.messages(unit)), "what is listed was printed")
        self.assertEqual(sorted(f"{identity}.wav" for identity in added), self.recordings(unit), "no file without a message")
        for identity in added:
            file = unit.root / f"var/media/{identity[-2:]}/{identity}.wav"
            self.assertEqual(media.recording(RECORDING).read_bytes(), file.read_bytes())
        (disk.directory / "ballast").unlink()
        added.append(self.add(unit))
        unit.once()
        self.assertEqual({identity: 1 for identity in added}, self.in_account())

    def test_full_under_a_running_agent(self):
        """In the middle of a dialogue, and with changes in the account: nothing is lost and nobody dies."""
        unit, disk = self.small_unit()
        a, b = self.add(unit), self.add(unit)
        unit.once()
        unit.ctl("sync", "101")
        agent = unit.agent()
        self.addCleanup(agent.stop)
        workers = agent.wait_for_workers()
        hold = self.smtp.hold("greeting")
        c = self.add(unit)
        self.assertTrue(self.smtp.reached("greeting").wait(60))
        with disk.full():
            hold.set()
            with MailClient(self.rig, self.user) as mail:
                mail.expunge("INBOX", a)
                mail.add_flags("INBOX", b, r"\Seen")
            self.add_is_refused(unit)
            self.assertEqual({a, b, c}, set(self.messages(unit)))
        unit.wait_for_state(c, "sent", "uncertain")
        d = self.add(unit)
        unit.ctl("queue", "retry", status=None)
        for identity in (c, d):
            unit.wait_for_state(identity, "sent")
        unit.ctl("sync", "101")
        states = {identity: message["state"] for identity, message in self.messages(unit).items()}
        self.assertEqual({a: "deleted", b: "read", c: "new", d: "new"}, states)
        self.assertEqual({b: 1, c: 1, d: 1}, self.in_account())
        self.assertEqual(workers, agent.workers(), "no worker had to be started again")
        self.assertEqual("ok", self.status(unit)["state"])

    def test_full_between_the_mail_and_its_outcome(self):
        """The server has taken it, and the outcome finds no room: it is kept, and nobody sends it again."""
        unit, disk = self.small_unit("var")
        hold = self.smtp.hold("dot")
        with unit.agent():
            identity = self.add(unit)
            self.assertTrue(self.smtp.reached("dot").wait(60))
            with disk.full():
                hold.set()
                wait_until(
                    lambda: "failure to record; " + unit.trace() + str(self.messages(unit)),
                    lambda: unit.state(identity) == "sent" or self.status(unit)["state"] == "error"
                    or "could not be recorded" in unit.trace() + (unit.root / "agent.log").read_text(),
                )  # fmt: skip
            unit.wait_for_state(identity, "sent")
        self.assertEqual({identity: 1}, self.in_account())

    # ---- each part -------------------------------------------------------------------------------------------
    def test_media_full(self):
        unit, disk = self.small_unit("var/media")
        a = self.add(unit)
        with disk.full():
            self.add_is_refused(unit)
            unit.once()  # what is there already goes all the same
            self.assertEqual("sent", unit.state(a))
            unit.ctl("message", "mark", a, "--read")
        b = self.add(unit)
        unit.once()
        self.assertEqual({a: 1, b: 1}, self.in_account())
        self.assertEqual([f"{i}.wav" for i in sorted((a, b))], self.recordings(unit))

    def test_spool_full(self):
        unit, disk = self.small_unit("var/spool")
        # Smaller mails are composed in memory.
        long = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "long.wav"
        media.write_recording(long, 60)
        a = unit.add("101", long)
        with disk.full():
            done = unit.once(status=75)
            self.assertRegex(done.stderr, "(?i)no space left.*free disk space")
            self.assertEqual(0, self.smtp.connections, "a mail that cannot be written never reaches a server")
            # A smaller one may fit: it is this message's trouble, and its attempt.
            self.assertEqual("deferred", unit.state(a))
            self.assertRegex(unit.delivery(a)["last_reply"], "(?i)no space left")
            self.assertEqual(1, self.status(unit)["deferred"])
            b = self.add(unit)
        unit.ctl("queue", "retry")
        unit.once()
        self.assertEqual({a: 1, b: 1}, self.in_account())
        self.assertEqual("ok", self.status(unit)["state"])

    def test_trace_full(self):
        """Nobody needs the trace for anything."""
        unit, disk = self.small_unit("var/trace")
        unit.config("misc", "set", "TraceLevelOverride", "True")
        with disk.full():
            agent = unit.agent()
            self.addCleanup(agent.stop)
            workers = agent.wait_for_workers()
            a, b = self.add(unit), self.add(unit)
            for identity in (a, b):
                unit.wait_for_state(identity, "sent")
            unit.ctl("sync", "101")
            self.assertEqual(workers, agent.workers())
        said = unit.trace()
        c = self.add(unit)
        unit.wait_for_state(c, "sent")
        wait_until("trace again", lambda: len(unit.trace()) > len(said))
        self.assertEqual(0, agent.stop())
        self.assertEqual({a: 1, b: 1, c: 1}, self.in_account())

    def test_configuration_full(self):
        """An edit is atomic: it is made as a whole or not at all."""
        unit, disk = self.small_unit()
        before = unit.config("mailbox", "show", "101").stdout
        with disk.full():
            done = unit.config("mailbox", "set", "101", "Email Name=new@example.test", status=None)
            self.assertNotEqual(0, done.returncode)
            self.assertRegex(done.stderr, "(?i)no space left.*free disk space")
            self.assertEqual(before, unit.config("mailbox", "show", "101").stdout)
        self.assertEqual([], [f.name for f in (unit.root / "etc").rglob("*.tmp")])

    # ---- read-only -------------------------------------------------------------------------------------------
    def test_read_only(self):
        unit, disk = self.small_unit()
        a = self.add(unit)
        before = {f: f.read_bytes() for f in unit.root.rglob("*") if f.is_file()}
        disk.remount("ro")
        self.add_is_refused(unit, "(?i)read-only")
        self.is_refused(unit, "(?i)read-?only", "message", "delete", a)
        done = unit.once(status=None)
        self.assertNotEqual(0, done.returncode)
        self.assertRegex(done.stderr, "(?i)read-?only")
        self.assertEqual(0, self.smtp.connections)
        self.assertEqual(before, {f: f.read_bytes() for f in unit.root.rglob("*") if f.is_file()})
        disk.remount("rw")
        b = self.add(unit)
        unit.once()
        self.assertEqual({a: 1, b: 1}, self.in_account())

    def test_read_only_under_a_running_agent(self):
        """As ext4 does when it meets an error: what is open for writing cannot be written any more."""
        unit, _ = self.small_unit()
        what, failures = self.files / "what", self.files / "failures"
        what.touch(), failures.touch()
        unit.environment = vmunit.preloaded(
            unit.build, "fail_io", VM_FAIL_ROOT=unit.root, VM_FAIL_WHAT=what, VM_FAIL_LOG=failures
        )
        a = self.add(unit)
        agent = unit.agent()
        self.addCleanup(agent.stop)
        workers = agent.wait_for_workers()
        unit.wait_for_state(a, "sent")
        hold = self.smtp.hold("dot")
        b = self.add(unit)
        wait_until("the dot", lambda: len(self.smtp.received) == 2)
        what.write_text("readonly\n")
        hold.set()
        wait_until("a failure", lambda: "vm.db" in failures.read_text())
        self.add_is_refused(unit, "(?i)read-?only")
        self.assertEqual("sending", unit.state(b))
        what.write_text("")
        unit.wait_for_state(b, "sent")
        c = self.add(unit)
        unit.wait_for_state(c, "sent")
        self.assertEqual({a: 1, b: 1, c: 1}, self.in_account())
        self.assertEqual(workers, agent.workers())

    @staticmethod
    def failures_of_store(failures):
        return failures.read_text().count("vm.db")

    def test_failing_while_switched_off(self):
        """What the account lost while Email Integration was off is not read as a deletion, though nothing could
        note at the time that it was off."""
        unit, _ = self.small_unit("var")
        a, b = self.add(unit), self.add(unit)
        unit.once()
        what, failures = self.files / "what", self.files / "failures"
        what.touch(), failures.touch()
        failing = vmunit.preloaded(
            unit.build, "fail_io", VM_FAIL_ROOT=unit.root / "var", VM_FAIL_WHAT=what, VM_FAIL_LOG=failures
        )
        with unit.agent(dict(os.environ, **failing)) as agent:
            agent.wait_for_workers()
            unit.ctl("sync", "101")
            what.write_text("readonly\n")
            unit.set("101", Email_Integration="No")
            tries = self.failures_of_store(failures)
            wait_until(agent.output, lambda: self.failures_of_store(failures) > tries)
            with MailClient(self.rig, self.user) as mail:
                mail.expunge("INBOX", a)
                mail.add_flags("INBOX", b, r"\Seen")
            unit.set("101", Email_Integration="Yes")
            tries = self.failures_of_store(failures)
            wait_until(agent.output, lambda: self.failures_of_store(failures) > tries)
            what.write_text("")
            unit.ctl("sync", "101")
        states = {identity: message["state"] for identity, message in self.messages(unit).items()}
        self.assertEqual({a: "new", b: "new"}, states)


if __name__ == "__main__":
    vmunit.main()
