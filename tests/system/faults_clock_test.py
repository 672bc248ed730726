#!/usr/bin/env python3
"""The clock jumps under a running agent: a year forward and back again, two days back. Nothing is given up or
purged for it, nothing is tried in a storm, and no two messages get one id. Hours go by without anybody
waiting for them: a preloaded library moves both clocks of the programs."""

import json
import os

import media
import vmunit
from dovecot import PLAIN_HOST
from mailrig import MailRig, free_port, wait_until
from passwords import PASSWORD
from scriptedsmtp import ScriptedSmtp

HOUR, DAY = 3600, 86400
YEAR = 365 * DAY


class Clock:
    """What the programs take for the time: `wall` off by so many seconds, and so many gone by."""

    def __init__(self, unit, directory):
        self._file, self._wall, self._steady = directory / "offset", 0, 0
        self._write()
        unit.environment = vmunit.preloaded(unit.build, "shift_clock", VM_CLOCK_OFFSET=self._file)

    def _write(self):
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{self._wall} {self._steady}\n")
        os.replace(fresh, self._file)

    def pass_by(self, seconds):
        self._wall += seconds
        self._steady += seconds
        self._write()

    def jump(self, seconds):
        self._wall += seconds
        self._write()


class ClockTest(vmunit.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rig = MailRig({f"user{n}": PASSWORD for n in range(10)})
        cls.addClassCleanup(cls.rig.stop)
        cls.rig.start()
        cls.users = iter(cls.rig.users)

    def setUp(self):
        super().setUp()
        self.live = self.unit()
        self.clock = Clock(self.live, self.files)

    def running(self, **options):
        """An agent that has been there for two hours. All in clear: no certificate is good that long."""
        user = next(self.users)
        values = {
            "Email_Integration_Sync_Mode": "All Folders",
            "Imap4_Server": PLAIN_HOST,
            "Imap4_Port": self.rig.ports["imap"],
            "Imap4_SSL": "No",
            "Imap4_Account": user,
            "Imap4_Password": self.rig.users[user],
            "Allow_Cleartext_Password": "Yes",
        }
        self.live.mailbox("101", self.rig, user, "cleartext", **{**values, **options})
        self.start()
        self.clock.pass_by(2 * HOUR)

    def start(self):
        self.agent = self.live.agent()
        self.addCleanup(self.agent.stop)
        self.agent.wait_for_workers()

    def jump(self, seconds):
        count = self.live.trace().count("the clock was set")
        self.clock.jump(seconds)
        wait_until(
            lambda: f"note of the jump; {self.live.trace()[-2000:]}",
            lambda: self.live.trace().count("the clock was set") >= count + 2,  # both workers
        )

    def status(self):
        return json.loads(self.live.ctl("status", "--json").stdout)["mailboxes"][0]

    def add(self):
        return self.live.add("101", media.recording("digits/1"))

    def test_a_year_forward_gives_nothing_up(self):
        self.running(Smtp_Port=free_port())
        a = self.add()
        self.live.wait_for_state(a, "deferred")
        self.jump(YEAR)
        attempts = self.live.delivery(a)["attempts"]
        self.live.ctl("queue", "retry", a)  # its pause is over anyway
        wait_until("another attempt", lambda: self.live.delivery(a)["attempts"] > attempts)
        b = self.add()
        self.live.wait_for_state(a, "deferred")
        self.jump(-YEAR)
        self.live.set("101", Smtp_Port=self.rig.ports["cleartext"])
        self.live.ctl("queue", "retry")
        for identity in (a, b):
            self.live.wait_for_state(identity, "sent")

    def test_a_year_forward_by_itself(self):
        """Nobody asks for another attempt: that the pause is over brings it, and the delivery timeout must
        not be judged by that clock."""
        with ScriptedSmtp({"greeting": ScriptedSmtp.DROP}) as server:
            self.running(Smtp_Port=server.port, Smtp_Authentication="None")
            a = self.add()
            wait_until("attempt", lambda: self.live.delivery(a)["attempts"] == 1)
            self.jump(YEAR)
            self.clock.pass_by(HOUR // 2)  # the server's own pause goes by the other clock
            wait_until("another attempt", lambda: self.live.delivery(a)["attempts"] == 2)
            self.live.wait_for_state(a, "deferred")
            self.assertLess(server.connections, 6, "a storm")

    def sync(self):
        """A look that is under way when hours go by has run out of time, and whoever asks then is told so."""
        wait_until("a look that succeeds", lambda: self.live.ctl("sync", "101", status=None).returncode == 0)

    def test_nothing_is_purged(self):
        self.running()
        a, b = self.add(), self.add()
        for identity in (a, b):
            self.live.wait_for_state(identity, "sent")
            wait_until("link", lambda: self.live.message(identity)["link"])
        self.live.ctl("message", "delete", a)
        self.sync()
        self.clock.pass_by(HOUR * 3 // 4)
        self.jump(YEAR)
        self.clock.pass_by(HOUR // 2)
        for _ in range(3):
            self.sync()
        self.live.ctl("message", "show", a)
        # And by one that is started with such a clock.
        self.assertEqual(0, self.agent.stop())
        with self.live.agent() as agent:
            agent.wait_for_workers()
            for _ in range(3):
                self.sync()
            self.live.ctl("message", "show", a)
            self.jump(-YEAR)
        self.start()
        self.clock.pass_by(2 * HOUR)
        self.sync()
        self.live.ctl("message", "restore", a)
        self.live.ctl("message", "delete", a)
        # A clock that stays where it was set is believed in the end.
        self.jump(YEAR)
        self.clock.pass_by(2 * HOUR)
        wait_until("purge", lambda: "removed for good" in self.live.trace())
        self.live.ctl("message", "show", a, status=66)
        self.live.ctl("message", "show", b)

    def test_two_days_back(self):
        """What was to be tried after a pause is not left for days, and the status does not stand still. (A
        clock that goes back by less than the longest pause there is, a day, delays by as much.)"""
        self.running(Smtp_Port=free_port())
        a = self.add()
        self.live.wait_for_state(a, "deferred")
        self.live.ctl("sync", "101", status=None)  # (of the push, too)
        before = self.status()["last_sync"]
        self.jump(-2 * DAY)
        self.live.ctl("sync", "101", status=None)
        wait_until(lambda: f"a sync earlier than {before}; {self.status()}", lambda: self.status()["last_sync"] < before)
        self.clock.pass_by(HOUR)  # the server's pause goes by the other clock
        self.live.set("101", Smtp_Port=self.rig.ports["cleartext"])
        self.live.wait_for_state(a, "sent")

    def test_ids_of_one_moment(self):
        """The same second comes again and again."""
        self.live.config("mailbox", "create", "101")
        ids = []
        for _ in range(10):
            ids.append(self.add())
            self.clock.jump(-1)
        self.assertEqual(10, len(set(ids)))
        listed = json.loads(self.live.ctl("message", "list", "--mailbox", "101", "--json").stdout)["messages"]
        self.assertEqual(set(ids), {message["id"] for message in listed})


if __name__ == "__main__":
    vmunit.main()
