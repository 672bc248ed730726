#!/usr/bin/env python3
"""From Asterisk's spool to the subscribers' mail programs and back: three mailboxes, vmasterisk, the agent, and a
Postfix and a Dovecot, while callers and subscribers come and go."""

import contextlib
import json
import subprocess
import time

import asterisk
import synctest
import vmunit
from mailrig import dies_with_parent, wait_until

READ = r"\Seen"
SECONDS = 60  # for what takes one or two
NEVER = {"g_bImap4SyncPendingTimer": 86400}


def setUpModule():
    synctest.TestCase.rig = synctest.start()


def tearDownModule():
    synctest.TestCase.rig.stop()


class AsteriskMailTest(synctest.TestCase):
    misc = NEVER

    def setUp(self):
        super().setUp()
        self.server = asterisk.Server(self, formats=("wav", "gsm"))
        self.latencies = []

    @contextlib.contextmanager
    def running(self, unit):
        (unit.root / "etc/asterisk.ini").write_text(f"[Asterisk]\nSpool = {self.server.spool}\n")
        with open(unit.root / "vmasterisk.log", "ab") as log:
            process = subprocess.Popen(
                unit.command("vmasterisk"), stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=dies_with_parent
            )
        try:
            with unit.agent() as agent:
                agent.wait_for_workers()
                yield
        finally:
            process.terminate()
            self.assertEqual(0, process.wait(60))

    def told(self, unit):
        return (unit.root / "vmasterisk.log").read_text()[-3000:] + unit.trace()[-3000:]

    def ids(self, box):
        """{msg_id: the unit's id}"""
        listed = json.loads(box.unit.ctl("message", "list", "--mailbox", box.number, "--all", "--json").stdout)
        return {asterisk.msg_id_of(m["origin"]): m["id"] for m in listed["messages"]}

    def arrived(self, box, msg_id):
        """Waits for the mail of a message; the unit's id."""
        wait_until(
            lambda: f"mail of {msg_id}; {self.ids(box)}; {box.account()}; {self.told(box.unit)}",
            lambda: self.ids(box).get(msg_id, "-") in box.mail.ids(),
            SECONDS,
        )
        self.latencies.append(time.monotonic() - self.spool[box].renamed)
        identity = self.ids(box)[msg_id]
        wait_until(lambda: f"link of {identity}; {self.told(box.unit)}", lambda: box.link(identity), SECONDS)
        return identity

    def lies(self, box, msg_id, *folders):
        spool = self.spool[box]
        wait_until(
            lambda: f"{msg_id} in {folders}; {spool.where(msg_id)}; {self.told(box.unit)}",
            lambda: spool.where(msg_id) == list(folders),
            SECONDS,
        )

    def content(self, box, msg_id):
        spool = self.spool[box]
        files = spool.files("INBOX", spool._number("INBOX", msg_id))
        return {file.suffix: file.read_bytes() for file in files}

    def test_three_mailboxes(self):
        unit = self.unit()
        for name, value in NEVER.items():
            unit.config("misc", "set", name, str(value))
        boxes = [self.box(unit=unit) for _ in range(3)]
        self.spool = {box: self.server.box(box.number) for box in boxes}
        ann, bob, eve = boxes
        with self.running(unit):
            called, mails = {box: [] for box in boxes}, {box: [] for box in boxes}
            for box in boxes * 2:
                called[box].append(self.spool[box].record())
                mails[box].append(self.arrived(box, called[box][-1]))
            # One call for two: one name, two messages.
            both = self.spool[ann].record()
            self.spool[ann].forward_to(self.spool[bob], "INBOX", both)
            for_ann, for_bob = self.arrived(ann, both), self.arrived(bob, both)
            before = self.content(ann, called[ann][1])

            # Deleted in the mail: exactly that one leaves the spool, while Asterisk renumbers and writes there.
            with self.spool[ann].session() as call:
                ann.mail.expunge("INBOX", mails[ann][0])
                latest = self.spool[ann].record()
                self.lies(ann, called[ann][0])
                call.heard.clear()
            self.lies(ann, called[ann][1], "INBOX")
            self.assertEqual(["INBOX"], self.spool[bob].where(both))
            bob.mail.expunge("INBOX", for_bob)
            self.lies(bob, both)
            self.assertEqual(["INBOX"], self.spool[ann].where(both))
            self.arrived(ann, latest)

            # Read in the mail: to Old, as Asterisk would; and new again.
            bob.mail.add_flags("INBOX", mails[bob][0], READ)
            self.lies(bob, called[bob][0], "Old")
            eve.mail.add_flags("INBOX", mails[eve][0], READ)
            self.lies(eve, called[eve][0], "Old")
            eve.mail.clear_flags("INBOX", mails[eve][0], READ)
            self.lies(eve, called[eve][0], "INBOX")

            # Heard, deleted and saved by phone.
            with self.spool[bob].session() as call:
                call.hear(called[bob][1])
            bob.seen_in_the_mail(mails[bob][1], f"INBOX {READ}", SECONDS)
            with self.spool[eve].session() as call:
                call.delete(called[eve][0])
                call.save(called[eve][1], "Work")
            eve.seen_in_the_mail(mails[eve][0], "", SECONDS)
            eve.seen_in_the_mail(mails[eve][1], f"Work {READ}", SECONDS)
            # Filed in the mail program, in a folder that Asterisk has.
            ann.mail.create("Family")
            ann.mail.move("INBOX", for_ann, "Family")
            self.lies(ann, both, "Family")

        # What nobody did anything to is what it was.
        self.assertEqual(before, self.content(ann, called[ann][1]))
        for box in boxes:
            self.assertEqual([], self.spool[box].strays())
        print(f"from the rename to the account: {', '.join(f'{s:.1f}' for s in self.latencies)} s", flush=True)

    def test_a_unit_that_was_down(self):
        unit = self.unit()
        box = self.box(unit=unit)
        self.spool = {box: self.server.box(box.number)}
        with self.running(unit):
            a, b, c = (self.spool[box].record() for _ in range(3))
            mails = {m: self.arrived(box, m) for m in (a, b, c)}
        box.mail.expunge("INBOX", mails[a])
        with self.spool[box].session() as call:
            call.hear(b)
            call.delete(c)
        d = self.spool[box].record()
        with self.running(unit):
            self.lies(box, a)
            box.seen_in_the_mail(mails[b], f"INBOX {READ}", SECONDS)
            box.seen_in_the_mail(mails[c], "", SECONDS)
            self.arrived(box, d)
        self.assertEqual([["Old"], [], ["INBOX"]], [self.spool[box].where(m) for m in (b, c, d)])


if __name__ == "__main__":
    vmunit.main()
