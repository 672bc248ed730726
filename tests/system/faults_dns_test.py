#!/usr/bin/env python3
"""Names that cannot be resolved: SERVFAIL, NXDOMAIN, and a name server that says nothing at all and later
does. It is the system's resolver that asks, by a resolv.conf of the test's own."""

import json
import unittest

import media
import smalldisk
import vmunit
from dovecot import PLAIN_HOST
from mailrig import MailRig, wait_until
from passwords import PASSWORD
from scripteddns import ScriptedDns

NAME = "mail.dns.test"
# Network Timeout: more than the resolver takes (5 s) to ask once more, if an answer got lost.
TIMEOUT = "8"


@unittest.skipUnless(smalldisk.is_possible(), "mounting is not permitted here")
class DnsTest(vmunit.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rig = MailRig({f"user{n}": PASSWORD for n in range(20)})
        cls.addClassCleanup(cls.rig.stop)
        cls.rig.start()
        cls.users = iter(cls.rig.users)

    def setUp(self):
        super().setUp()
        self.dns = ScriptedDns()
        self.addCleanup(self.dns.__exit__)
        self.dns.serve_this_process()
        self.dns.names["good.dns.test"] = "127.0.0.1"
        self.machine = self.unit()

    def mailbox(self, number, host, **options):
        user = next(self.users)
        self.machine.mailbox(
            number, self.rig, user, "cleartext", Smtp_Server=host, Network_Timeout=TIMEOUT,
            Allow_Cleartext_Password="Yes", **options,
        )  # fmt: skip
        return user

    def add(self, number):
        return self.machine.add(number, media.recording("digits/1"))

    def status(self, number):
        told = json.loads(self.machine.ctl("status", "--json").stdout)["mailboxes"]
        return next(one for one in told if one["mailbox"] == number)

    def fails_and_comes_back(self, says):
        if says is not None:
            self.dns.says[NAME] = says
        user = self.mailbox("101", NAME)
        identity = self.add("101")
        self.machine.once(status=75)
        delivery = self.machine.delivery(identity)
        self.assertEqual(("deferred", 1), (delivery["state"], delivery["attempts"]))
        self.assertIn(NAME, delivery["last_reply"])
        self.assertRegex(delivery["last_reply"], "(?i)resolv")
        self.assertIn(NAME, self.status("101")["reason"])
        self.dns.says.clear()
        self.dns.names[NAME] = "127.0.0.1"
        self.machine.ctl("queue", "retry")
        asked = list(self.dns.asked)
        done = self.machine.once(status=None)
        self.assertEqual("sent", self.machine.state(identity), f"{done.stderr} {asked} {self.dns.asked}")
        self.rig.wait_for_mail(user, 1)

    def test_servfail(self):
        self.fails_and_comes_back(ScriptedDns.SERVFAIL)

    def test_no_such_name(self):
        """A deferral as well: it may be a typing error, and it may be the provider's."""
        self.fails_and_comes_back(None)

    def test_no_answer(self):
        self.fails_and_comes_back(ScriptedDns.NOTHING)

    def test_slow_names_delay_nobody_else(self):
        """Several mailboxes whose servers' names get no answer, and one whose does; then they all do."""
        slow = {str(n): self.mailbox(str(n), f"slow{n}.dns.test") for n in range(101, 117, 2)}
        quick = self.mailbox("117", "good.dns.test")  # the same worker
        for number in slow:
            self.dns.says[f"slow{number}.dns.test"] = ScriptedDns.NOTHING
        with self.machine.agent() as agent:
            agent.wait_for_workers()
            waiting = {number: self.add(number) for number in slow}
            wait_until("questions", lambda: all(self.dns.count(f"slow{n}.dns.test") for n in ("101", "103")))
            self.machine.wait_for_state(self.add("117"), "sent")
            self.assertNotIn("sent", [self.machine.state(identity) for identity in waiting.values()])
            for identity in waiting.values():
                self.machine.wait_for_state(identity, "deferred")
            for number in slow:
                self.dns.says.pop(f"slow{number}.dns.test")
                self.dns.names[f"slow{number}.dns.test"] = "127.0.0.1"
            self.machine.ctl("queue", "retry")
            for identity in waiting.values():
                self.machine.wait_for_state(identity, "sent")
        for user in (quick, *slow.values()):
            self.rig.wait_for_mail(user, 1)

    def test_a_name_that_fails_is_no_deletion(self):
        """Nor is it for the account: nothing is known, so nothing is gone."""
        self.dns.names["imap.dns.test"] = PLAIN_HOST
        user = next(self.users)
        self.machine.mailbox(
            "101", self.rig, user, "cleartext", Allow_Cleartext_Password="Yes", Imap4_Server="imap.dns.test",
            Imap4_Port=self.rig.ports["imap"], Imap4_SSL="No", Imap4_Account=user, Imap4_Password=PASSWORD,
        )  # fmt: skip
        identity = self.add("101")
        self.machine.once()
        self.rig.drain()
        self.machine.ctl("sync", "101")
        self.assertIsNotNone(self.machine.message(identity)["link"])
        for says in (ScriptedDns.SERVFAIL, ScriptedDns.NXDOMAIN):
            self.dns.says["imap.dns.test"] = says
            self.machine.ctl("sync", "101", status=75)
            self.assertRegex(self.status("101")["reason"], "(?i)imap.dns.test.*resolv|resolv.*imap.dns.test")
            self.assertEqual("new", self.machine.message(identity)["state"])
        self.dns.says.clear()
        self.machine.ctl("sync", "101")
        self.assertEqual("ok", self.status("101")["state"])


if __name__ == "__main__":
    vmunit.main()
