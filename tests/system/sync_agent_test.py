#!/usr/bin/env python3
"""The running agent: what happens at one end is seen at the other without anybody asking, and the phone
is told (watch, the message-waiting command)."""

import concurrent.futures
import json
import queue
import socket
import subprocess
import threading

import synctest
import vmunit
from mailrig import dies_with_parent, free_port, wait_until

READ, URGENT = r"\Seen", r"\Flagged"
WITHIN = 20.0  # seconds; what IDLE tells takes half a one, a polling agent of these tests never looks
NEVER = {"g_bImap4SyncPendingTimer": 86400}


class AgentTestCase(synctest.TestCase):
    variant = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rig.vary(**cls.variant)
        agent = cls.shared.agent()
        cls.addClassCleanup(agent.stop)
        agent.wait_for_workers()

    def deliver(self, box, count):
        """As Box.deliver(), by the agent alone."""
        identities = [box.add() for _ in range(count)]
        wait_until(
            lambda: f"links of {identities}; {box.messages()}; {box.unit.trace()[-3000:]}",
            lambda: all(box.messages()[i]["link"] for i in identities),
            60,
        )
        return identities


def setUpModule():
    synctest.TestCase.rig = synctest.start()


def tearDownModule():
    synctest.TestCase.rig.stop()


class Unasked:
    """Each without a word to the agent but for what happened."""

    def test_what_happens_in_the_mail_shows_on_the_phone(self):
        box = self.box("Inbox Only")
        a, b, c = self.deliver(box, 3)
        box.mail.add_flags("INBOX", a, READ)
        box.seen_on_the_phone(a, "read", WITHIN)
        box.mail.expunge("INBOX", b)
        box.seen_on_the_phone(b, "deleted", WITHIN)
        box.mail.add_flags("INBOX", c, READ, URGENT)
        box.seen_on_the_phone(c, "read urgent", WITHIN)
        box.mail.clear_flags("INBOX", a, READ)
        box.seen_on_the_phone(a, "new", WITHIN)

    def test_what_happens_on_the_phone_shows_in_the_mail(self):
        box = self.box()
        a, b, c = self.deliver(box, 3)
        box.phone("mark", a, "--read")
        box.seen_in_the_mail(a, f"INBOX {READ}", WITHIN)
        box.phone("delete", b)
        box.seen_in_the_mail(b, "", WITHIN)
        box.phone("move", c, "--folder", "Work")
        box.seen_in_the_mail(c, "Work", WITHIN)
        box.phone("restore", b)
        box.seen_in_the_mail(b, "INBOX", 60)

    def test_a_pass_that_was_asked_for_is_complete(self):
        box = self.box()
        identities = self.deliver(box, 3)
        for identity in identities:
            box.mail.add_flags("INBOX", identity, READ)
        box.phone("urgent", identities[0], "--set")
        box.sync()
        box.check({
            identities[0]: ("read urgent", f"INBOX {URGENT} {READ}"),
            identities[1]: ("read", f"INBOX {READ}"),
            identities[2]: ("read", f"INBOX {READ}"),
        })  # fmt: skip


class IdleTest(Unasked, AgentTestCase):
    misc = NEVER

    def test_the_status_says_so(self):
        box = self.box()
        self.deliver(box, 1)
        wait_until(lambda: f"IDLE; {box.status()}", lambda: box.status()["idle"])  # there may be a pass
        status = box.status()
        self.assertEqual((True, True, 1, "ok"), tuple(status[k] for k in ("condstore", "qresync", "linked", "state")))
        self.assertTrue(status["last_sync"])
        self.assertEqual((1, 0), (status["new"], status["old"]))

    def test_many_messages_at_once(self):
        """Some arrive while the agent looks, some while it is about to wait: none may be overlooked."""
        box = self.box("Inbox Only")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: box.add(), range(60)))
        wait_until(lambda: f"60 links; {box.status()}", lambda: box.status()["linked"] == 60, 60)

    def test_after_the_server_was_away(self):
        box = self.box()
        a, b = self.deliver(box, 2)
        with box.server_stopped():
            box.phone("mark", a, "--read")
        box.mail.add_flags("INBOX", b, URGENT)
        box.seen_in_the_mail(a, f"INBOX {READ}", 90)
        box.seen_on_the_phone(b, "new urgent", 90)

    def test_a_retry_ends_the_pause_of_an_account(self):
        port = free_port()
        unit = self.unit()
        unit.config("misc", "set", "g_nRepeatStartUpPeriod", "600")
        self.box(unit=unit, Imap4_Server="127.0.0.1", Imap4_Port=port, Network_Timeout=5)
        with unit.agent():
            wait_until("an account in trouble", lambda: "Connection refused" in unit.ctl("status").stdout)
            with socket.create_server(("127.0.0.1", port)) as server:
                server.settimeout(60)
                unit.ctl("queue", "retry")
                server.accept()[0].close()

    def test_a_mailbox_that_is_made_synchronised_later(self):
        box = self.box("None")
        a = box.add()
        box.unit.wait_for_state(a, "sent")
        box.unit.set(box.number, Email_Integration_Sync_Mode="Inbox Only")
        wait_until(lambda: f"link; {box.messages()}", lambda: box.link(a), 60)
        box.mail.add_flags("INBOX", a, READ)
        box.seen_on_the_phone(a, "read", WITHIN)


class AskedTest(AgentTestCase):
    """`vmctl sync` without a number."""

    def test_all_that_are_synchronised(self):
        # Not by itself: the agent may not have seen it yet.
        self.assertEqual("No mailbox is synchronised.\n", self.box("None").unit.ctl("sync").stdout)
        boxes = [self.box("Inbox Only"), self.box("All Folders")]
        expected = [f"{box.number}: in step" for box in boxes]
        for _ in range(3):  # their first passes, and parked
            self.assertEqual(expected, sorted(boxes[0].unit.ctl("sync").stdout.splitlines()))
        identity = self.deliver(boxes[0], 1)[0]
        boxes[0].mail.add_flags("INBOX", identity, READ)
        boxes[0].unit.ctl("sync")
        boxes[0].seen_on_the_phone(identity, "read", 0)


class OtherFoldersTest(AgentTestCase):
    """In All Folders what happens outside the folder that IDLE watches is seen, too: at once with
    NOTIFY, else when it is looked at next."""

    misc = {"g_bImap4SyncPendingTimer": 1}

    def test_a_change_in_another_folder(self):
        box = self.box()
        a, b = self.deliver(box, 2)
        for identity in (a, b):
            box.phone("move", identity, "--folder", "Work")
            box.seen_in_the_mail(identity, "Work", WITHIN)
        box.mail.add_flags("Work", a, READ)
        box.seen_on_the_phone(a, "read in Work", WITHIN)
        box.mail.move("Work", b, "INBOX")
        box.seen_on_the_phone(b, "new", WITHIN)
        box.mail.expunge("INBOX", b)
        box.seen_on_the_phone(b, "deleted", WITHIN)


class PollingTest(Unasked, AgentTestCase):
    variant = {"without": {"IDLE"}}
    misc = {"g_bImap4SyncPendingTimer": 1}


class Lines:
    """What a program prints, line by line, as it does so."""

    def __init__(self, test, command):
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, preexec_fn=dies_with_parent
        )
        self._lines = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        test.addCleanup(self._stop)

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(line)

    def _stop(self):
        self._process.terminate()
        self._process.wait()
        self._thread.join()
        self._process.stdout.close()

    def get(self):
        return self._lines.get(timeout=WITHIN)

    def none(self):
        return self._lines.empty()


class WaitingTest(AgentTestCase):
    misc = NEVER

    def counts(self, lines, wanted):
        """Reads until these are told."""
        told = None
        while told != wanted:
            told = json.loads(lines.get())
            told = (told["mailbox"], told["new"], told["old"])

    def test_watch(self):
        box, other = self.box(), self.box()
        lines = Lines(self, box.unit.command("vmctl", "watch", "--mailbox", box.number))
        self.counts(lines, (box.number, 0, 0))
        a, b = self.deliver(box, 2)
        self.counts(lines, (box.number, 2, 0))
        box.mail.add_flags("INBOX", a, READ)
        self.counts(lines, (box.number, 1, 1))
        box.mail.expunge("INBOX", b)
        self.counts(lines, (box.number, 0, 1))
        box.phone("mark", a, "--new")
        self.counts(lines, (box.number, 1, 0))
        box.phone("urgent", a, "--set")
        self.deliver(other, 1)
        self.assertTrue(lines.none(), "a line though its counts are the same, or of another mailbox")
        everybody = Lines(self, box.unit.command("vmctl", "watch"))
        told = {}
        while not {box.number, other.number} <= set(told):
            line = json.loads(everybody.get())
            told[line["mailbox"]] = (line["new"], line["old"])
        self.assertEqual([(1, 0), (1, 0)], [told[box.number], told[other.number]])

    def test_the_message_waiting_command(self):
        told = self.files / "told"
        command = self.files / "waiting"
        command.write_text(f'#!/bin/sh\necho "$#:$1 $2 $3" >> {told}\n')
        command.chmod(0o755)
        box = self.box()
        self.shared.config("misc", "set", "g_szMessageWaitingCommand", str(command))
        self.addCleanup(self.shared.config, "misc", "set", "g_szMessageWaitingCommand", "")

        def last(counts):
            wait_until(
                lambda: f"{counts}; {told.read_text() if told.exists() else ''}; {box.unit.trace()[-2000:]}",
                lambda: told.exists() and self.of(box, told)[-1:] == [f"3:{box.number} {counts}"],
                WITHIN,
            )

        a, b = self.deliver(box, 2)
        last("2 0")
        box.mail.add_flags("INBOX", a, READ)
        last("1 1")
        box.mail.expunge("INBOX", b)
        last("0 1")
        box.phone("delete", a)
        last("0 0")
        lines = self.of(box, told)
        self.assertFalse([pair for pair in zip(lines, lines[1:]) if pair[0] == pair[1]], lines)

    def of(self, box, told):
        return [line for line in told.read_text().splitlines() if line.startswith(f"3:{box.number} ")]


if __name__ == "__main__":
    vmunit.main()
