#!/usr/bin/env python3
"""The nth fsync fails with EIO, the nth write with ENOSPC, and from the nth on every one: for each n that
there is, while a message is added and while mails are pushed and found again. What failed is not promised
(no id is printed), and afterwards, on a disk that is well, every message is there once and goes once.

    faults_io_test.py             a sample of the writes
    faults_io_test.py --every 1   each of them
"""

import json
import pathlib
import shutil
import sqlite3
import tempfile

import media
import vmunit
from faultoptions import option
from mailrig import MailRig
from passwords import PASSWORD
from powerloss import Recorder
from scriptedsmtp import DeliveringSmtp

EVERY = option("--every", 9)  # of the writes; every fsync is tried
RECORDING = "digits/1"


class IoTest(vmunit.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rig = MailRig({"ann": PASSWORD})
        cls.addClassCleanup(cls.rig.stop)
        cls.rig.start()

    def template(self, port=25):
        """A unit with one mailbox and one message; it is copied for each fault."""
        unit = self.unit()
        unit.mailbox(
            "101", self.rig, "ann", "relay",
            Smtp_Port=port, Email_Integration_Sync_Mode="None", Imap4_Server=self.rig.host,
            Imap4_Port=self.rig.ports["imaps"], Imap4_SSL="Yes", Imap4_Account="ann", Imap4_Password=PASSWORD,
        )  # fmt: skip
        unit.add("101", media.recording(RECORDING))
        return unit

    def copies(self, template, operation):
        """A copy of the unit for each n, its disk failing at the nth operation, then from there on; ends when
        that is more than there are. Yields it with what puts its disk right."""
        for on in ("", "+"):
            number = 1
            while True:
                directory = pathlib.Path(tempfile.mkdtemp(prefix="vmio."))
                what, failures = directory / "what", directory / "failures"
                shutil.copytree(template.root, directory / "unit")
                unit = vmunit.Unit.__new__(vmunit.Unit)
                unit.build, unit.root = template.build, directory / "unit"
                unit.environment = vmunit.preloaded(
                    unit.build, "fail_io", VM_FAIL_ROOT=unit.root, VM_FAIL_WHAT=what, VM_FAIL_LOG=failures
                )
                failures.touch()
                what.write_text(f"{operation} {number}{on}\n")
                self.failures, self.number, self.place = failures, number, f"{operation} {number}{on}"
                try:
                    yield unit, lambda: what.write_text("")
                    if not failures.read_text():
                        break
                finally:
                    shutil.rmtree(directory)
                number += 1 if operation == "fsync" else EVERY
            self.assertGreater(number, 3, "the faults have no effect")

    def messages(self, unit):
        listed = unit.ctl("message", "list", "--all", "--json").stdout
        with sqlite3.connect(unit.root / "var/vm.db") as store:
            self.assertEqual([("ok",)], store.execute("PRAGMA integrity_check").fetchall(), self.place)
        store.close()
        return {message["id"]: message for message in json.loads(listed)["messages"]}

    # ---- adding ---------------------------------------------------------------------------------------------
    def before_the_id(self, template, operation):
        """How many of these operations come before the id is printed."""
        recorder = Recorder(template.build, self.files)
        shutil.copytree(template.root, recorder.root / "unit")
        unit = vmunit.Unit.__new__(vmunit.Unit)
        unit.build, unit.root, unit.environment = template.build, recorder.root / "unit", recorder.environment
        unit.add("101", media.recording(RECORDING))
        events = [e for e in recorder.events() if not e.first.endswith("-shm")]
        # SQLite takes no note of a directory that cannot be synced when it has made its WAL. It need not:
        # the store has synced that one itself in between, before it took the recording.
        places = [(e.kind, e.first.removeprefix(str(recorder.root / "unit/var"))) for e in events]
        self.assertLess(places.index(("C", "/vm.db-wal")), places.index(("S", "")))
        kinds = [e.kind for e in events]
        return kinds[: kinds.index("P")].count({"fsync": "S", "write": "W"}[operation])

    def added(self, operation):
        template = self.template()
        [first] = self.messages_of(template)
        refused, needed = 0, self.before_the_id(template, operation)
        for unit, mend in self.copies(template, operation):
            done = unit.ctl(
                "message", "add", "--mailbox", "101", "--kind", "voice", "--file", media.recording(RECORDING),
                status=None,
            )  # fmt: skip
            mend()
            failed = self.failures.read_text()
            by_sqlite = self.number > 1 and failed == f"fsync {unit.root}/var\n"
            self.assertEqual(self.number <= needed and not by_sqlite, done.returncode != 0, f"{self.place}: {failed}")
            promised = {first}
            if done.returncode == 0:
                promised.add(done.stdout.strip())
            else:
                refused += 1
                self.assertEqual("", done.stdout, self.place)
                self.assertEqual(1, len(done.stderr.strip().splitlines()), done.stderr)
            self.assertEqual(promised, set(self.messages(unit)), self.place)
            files = {file.name for file in (unit.root / "var/media").rglob("*") if file.is_file()}
            self.assertEqual({f"{identity}.wav" for identity in promised}, files, self.place)
        print(f"{operation}: {refused} refused,", self.place, "was one too many")

    def messages_of(self, template):
        self.place = "no fault"
        template.environment = {}
        return self.messages(template)

    def test_adding_with_a_failing_fsync(self):
        self.added("fsync")

    def test_adding_with_failing_writes(self):
        self.added("write")

    # ---- pushing --------------------------------------------------------------------------------------------
    def pushed(self, operation):
        with DeliveringSmtp(self.rig, "ann") as smtp:
            template = self.template(smtp.port)
            template.add("101", media.recording(RECORDING))
            first, second = sorted(self.messages_of(template))
            copies = 0
            for unit, mend in self.copies(template, operation):
                copies += 1
                before = len(smtp.messages)
                unit.once(status=None)
                mend()
                unit.once(status=None)
                unit.ctl("queue", "retry")
                unit.once()
                states = {i: m["delivery"]["state"] for i, m in self.messages(unit).items()}
                self.assertEqual({first: "sent", second: "sent"}, states, self.place)
                taken = sorted(self.identity(mail) for mail in smtp.messages[before:])
                self.assertEqual([first, second], taken, self.place)
                self.empty_account()
            print(f"{operation}: {copies} times,", self.place, "was one too many")

    @staticmethod
    def identity(mail):
        return mail.split(b"X-VM-Message-Id: ")[1].split(b"\r\n")[0].decode()

    def empty_account(self):
        """The next copy's mails have the same ids."""
        with self.rig.imap("ann") as connection:
            connection.select("INBOX")
            connection.store("1:*", "+FLAGS", r"(\Deleted)")
            connection.expunge()

    def test_pushing_with_a_failing_fsync(self):
        self.pushed("fsync")

    def test_pushing_with_failing_writes(self):
        self.pushed("write")


if __name__ == "__main__":
    vmunit.main()
