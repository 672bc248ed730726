#!/usr/bin/env python3
"""Servers that stop in the middle of every answer, answer a byte a second, or want to be left alone: real
ones behind a proxy for SMTP, IMAP and POP3. What could not be said is said again later, nothing is lost or
doubled for it, and nobody else waits. (tests/plugins has each step of SMTP against a scripted server.)"""

import concurrent.futures
import json

import media
import vmunit
from dovecot import PLAIN_HOST
from faultproxy import Fault, FaultProxy, SingleBytes, StallAfterLines, Tarpit
from mailrig import MailRig, wait_until
from passwords import PASSWORD
from scriptedsmtp import ScriptedSmtp

RECORDING = "digits/1"
SHORTEST = "5"  # Network Timeout


class ServersTest(vmunit.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rig = MailRig({f"user{n}": PASSWORD for n in range(60)})
        cls.addClassCleanup(cls.rig.stop)
        cls.rig.start()
        cls.users = iter(cls.rig.users)
        cls.proxies = {
            "smtp": FaultProxy(cls.rig.ports["cleartext"]),
            "imap": FaultProxy(cls.rig.ports["imap"], PLAIN_HOST),
            "pop3": FaultProxy(cls.rig.ports["pop3"], PLAIN_HOST),
        }
        for proxy in cls.proxies.values():
            cls.addClassCleanup(proxy.stop)

    def mailbox(self, unit, number, account="imap", **faults):
        """A mailbox with Network Timeout at its least, behind proxies; name of a protocol -> its port."""
        user = next(self.users)
        ports = {name: self.proxies[name].listen(faults.get(name)) for name in ("smtp", account)}
        kind = {"imap": "Imap4", "pop3": "Pop3"}[account]
        unit.mailbox(
            number, self.rig, user, "cleartext", Smtp_Server="127.0.0.1", Smtp_Port=ports["smtp"],
            Network_Timeout=SHORTEST, Allow_Cleartext_Password="Yes",
            **{
                f"{kind}_Server": "127.0.0.1", f"{kind}_Port": ports[account], f"{kind}_SSL": "No",
                f"{kind}_Account": user, f"{kind}_Password": self.rig.users[user],
            },
        )  # fmt: skip
        return user, ports

    def mend(self, ports):
        for name, port in ports.items():
            self.proxies[name].faults[port].released.set()
            self.proxies[name].faults[port] = Fault()

    def add(self, unit, number):
        return unit.add(number, media.recording(RECORDING))

    def in_parallel(self, work, arguments):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return list(pool.map(work, arguments))

    def statuses(self, unit):
        return {m["mailbox"]: m for m in json.loads(unit.ctl("status", "--json").stdout)["mailboxes"]}

    # ---- stalls -----------------------------------------------------------------------------------------
    def test_smtp_stalls_after_each_answer(self):
        unit = self.unit()
        unit.config("misc", "set", "g_bEnableSendMsgAsAttachment", "False")
        whole = StallAfterLines(1 << 20)
        self.mailbox(unit, "100", smtp=whole)
        self.add(unit, "100")
        unit.once()
        last = (1 << 20) - whole.lines
        # The greeting, somewhere in EHLO's lines, then each answer; as many as may be tried at once.
        lines = (0, 3, *range(last - 6, last))
        boxes = {str(101 + n): self.mailbox(unit, str(101 + n), smtp=StallAfterLines(n)) for n in lines}
        ids = dict(zip(boxes, self.in_parallel(lambda n: self.add(unit, n), boxes)))
        unit.once(status=75)
        stalled = {n for n, (_, ports) in boxes.items() if self.proxies["smtp"].faults[ports["smtp"]].stalled.is_set()}
        self.assertGreaterEqual(len(stalled), 7)
        states = {number: unit.state(identity) for number, identity in ids.items()}
        for number, identity in ids.items():
            if number not in stalled:
                self.assertEqual("sent", states[number])
            elif states[number] != "sent":  # stalled at the goodbye
                self.assertIn(states[number], ("deferred", "uncertain"))
                self.assertRegex(unit.delivery(identity)["last_reply"], "(?i)timed out|timeout|no answer")
        self.assertIn("deferred", states.values())
        # It may have been found in the account since.
        lost = [e for identity in ids.values() for e in unit.history(identity) if e["to"] == "uncertain"]
        self.assertEqual(1, len(lost), str(lost))
        for _, ports in boxes.values():
            self.mend(ports)
        self.rig.drain()
        unit.ctl("queue", "retry")
        unit.once()
        for number, (user, _) in boxes.items():
            [mail] = self.rig.wait_for_mail(user, 1)
            self.assertEqual(ids[number], mail["X-VM-Message-Id"])

    def account_stalls(self, account, lines):
        """A deletion on the phone that meets an account that stalls after so many lines."""
        unit = self.unit("libsmtpimap4.so" if account == "imap" else "libsmtppop3.so")
        boxes = {str(101 + n): self.mailbox(unit, str(101 + n), account) for n in range(len(lines))}
        for user, _ in boxes.values():
            self.rig.server.put(user, 1)
        ids = dict(zip(boxes, self.in_parallel(lambda n: self.add(unit, n), boxes)))
        unit.once()
        self.rig.drain()
        unit.once()
        self.in_parallel(lambda n: unit.ctl("message", "delete", ids[n]), boxes)
        faults = {}
        for (number, (_, ports)), count in zip(boxes.items(), lines):
            faults[number] = self.proxies[account].faults[ports[account]] = StallAfterLines(count)
        unit.once(status=75)
        statuses = self.statuses(unit)
        for number, fault in faults.items():
            self.assertTrue(fault.stalled.is_set(), number)
            self.assertEqual("error", statuses[number]["state"], statuses[number])
            self.assertIn("127.0.0.1", statuses[number]["reason"])
        for _, ports in boxes.values():
            self.mend(ports)
        unit.once()
        for number, (user, _) in boxes.items():
            [mail] = self.rig.mails(user)
            self.assertNotIn(b"X-VM-", mail, "its mail is gone, the other one is not")
            self.assertEqual("deleted", unit.message(ids[number])["state"])
        self.assertEqual({"ok"}, {status["state"] for status in self.statuses(unit).values()})

    def test_imap_stalls(self):
        self.account_stalls("imap", (0, 1, 2, 5, 9, 14))

    def test_pop3_stalls(self):
        self.account_stalls("pop3", (0, 2, 8, 12))

    # ---- slow ones --------------------------------------------------------------------------------------
    def test_a_tarpit_and_its_neighbour(self):
        unit = self.unit()
        boxes = [self.mailbox(unit, number, smtp=Tarpit(1.0)) for number in ("101", "103")]
        self.mailbox(unit, "105")  # the same worker
        with unit.agent():
            slow = [self.add(unit, number) for number in ("101", "103")]
            wait_until("connection", lambda: self.proxies["smtp"].connections[boxes[0][1]["smtp"]])
            quick = self.add(unit, "105")
            unit.wait_for_state(quick, "sent")
            for identity in slow:
                unit.wait_for_state(identity, "deferred")
                self.assertEqual(1, unit.delivery(identity)["attempts"])
            self.assertEqual("error", self.statuses(unit)["101"]["state"])

    def test_slow_is_not_dead(self):
        """Each answer takes its time, and none too long."""
        unit = self.unit()
        user, ports = self.mailbox(unit, "101", smtp=Tarpit(0.01), imap=Tarpit(0.001))
        identity = self.add(unit, "101")
        unit.once()
        self.assertEqual("sent", unit.state(identity))
        self.rig.drain()
        unit.once()
        self.assertIsNotNone(unit.message(identity)["link"])

    def test_pop3_byte_by_byte(self):
        unit = self.unit("libsmtppop3.so")
        user, ports = self.mailbox(unit, "101", "pop3", pop3=SingleBytes())
        self.rig.server.put(user, 3)
        identity = self.add(unit, "101")
        unit.once()
        self.rig.drain()
        unit.ctl("message", "delete", identity)
        unit.once()
        self.assertEqual(3, len(self.rig.mails(user)))
        self.assertFalse([mail for mail in self.rig.mails(user) if b"X-VM-" in mail])

    # ---- throttling -------------------------------------------------------------------------------------
    def throttled(self, script, words, **options):
        """Several mailboxes at a server that sends everybody away: it is asked once, not by everybody, and
        when it is well again all get through. Returns how often it was asked."""
        numbers = ("101", "103", "105", "107", "109", "111")
        with ScriptedSmtp(script) as server:
            unit = self.unit()
            for number in numbers:
                unit.mailbox(number, self.rig, "user0", "relay", Smtp_Port=server.port, **options)
            with unit.agent() as agent:
                agent.wait_for_workers()
                ids = [self.add(unit, number) for number in numbers]
                wait_until(
                    lambda: f"reason in the status; {self.statuses(unit)}",
                    lambda: [s for s in self.statuses(unit).values() if words in s["reason"]],
                )
                asked = server.connections
                self.assertEqual([], server.received)
                for step in script:
                    server.script.pop(step)
                unit.ctl("queue", "retry")
                for identity in ids:
                    unit.wait_for_state(identity, "sent")
            self.assertEqual(len(numbers), len(server.messages))
        return asked

    def test_421_at_connect(self):
        self.assertLess(self.throttled({"greeting": "421 4.3.2 too many connections"}, "421 4.3.2"), 3)

    def test_421_midway(self):
        self.assertLess(self.throttled({"RCPT": "421 4.7.0 too much mail today"}, "421 4.7.0"), 3)

    def test_454_to_starttls(self):
        """Nothing is said in clear where TLS was asked for."""
        script = {"EHLO": "250-scripted\r\n250 STARTTLS", "STARTTLS": "454 4.7.0 TLS not available"}
        with ScriptedSmtp(script) as server:
            unit = self.unit()
            unit.mailbox("101", self.rig, "user0", "starttls", Smtp_Port=server.port)
            identity = self.add(unit, "101")
            unit.once(status=75)
            self.assertEqual("deferred", unit.state(identity))
            self.assertIn("454 4.7.0", unit.delivery(identity)["last_reply"])
            for step in ("AUTH", "MAIL"):
                self.assertFalse(server.reached(step).is_set())


if __name__ == "__main__":
    vmunit.main()
