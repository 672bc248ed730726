#!/usr/bin/env python3
"""POP3 accounts on real servers: what is deleted on the phone is deleted there, and nothing else
travels. The subscriber's own mail program is an IMAP client of the same account, or poplib."""

import contextlib
import poplib
import ssl

import synctest
import vmunit
from countingproxy import CountingProxy
from cyrus import Cyrus
from dovecot import PLAIN_HOST, Dovecot
from mailrig import MailRig, wait_until
from passwords import PASSWORD

READ = r"\Seen"


class Box(synctest.Box):
    """A mailbox whose account is a maildrop."""

    def __init__(self, test, unit, rig, number, user, **options):
        values = {
            "Pop3_Server": rig.host,
            "Pop3_Port": rig.ports["pop3s"],
            "Pop3_SSL": "Yes",
            "Pop3_Account": user,
            "Pop3_Password": rig.users[user],
        }
        self.test, self.unit, self.rig, self.number, self.user = test, unit, rig, number, user
        self.home = "INBOX"
        unit.mailbox(number, rig, user, **{**values, **options})
        self._mail = None

    def deliver(self, count, *arguments):
        identities = [self.add(*arguments) for _ in range(count)]
        self.push()
        wait_until(
            lambda: f"arrival of {identities}; {self.mail.mails()}", lambda: set(identities) <= set(self.mail.ids())
        )
        return identities

    @contextlib.contextmanager
    def fetching(self):
        """The subscriber's POP3 client has the drop open."""
        client = poplib.POP3_SSL(
            self.rig.host, self.rig.ports["pop3s"], context=ssl.create_default_context(cafile=str(self.rig.ca_file))
        )
        client.user(self.user)
        client.pass_(self.rig.users[self.user])
        try:
            yield client
        finally:
            client.quit()

    def history(self, identity):
        return [entry["reply"] for entry in self.unit.history(identity) if entry["what"] == "link"]


class TestCase(vmunit.TestCase):
    rig = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = vmunit.Unit("libsmtppop3.so")
        cls.addClassCleanup(cls.shared.remove)
        cls.numbers = iter(range(100, 1000))

    def box(self, unit=None, **options):
        rig = type(self).rig
        user = next(rig.free_users)
        return Box(self, unit or self.shared, rig, str(next(self.numbers)), user, **options)


def start(server):
    rig = MailRig({f"user{n}": PASSWORD for n in range(40)}, server)
    try:
        rig.start()
    except BaseException:
        rig.stop()
        raise
    rig.free_users = iter(rig.users)
    return rig


class Rules:
    """On every server."""

    def test_deleted_on_the_phone(self):
        for port, security in (("pop3s", "Yes"), ("pop3", "STARTTLS")):
            with self.subTest(security):
                box = self.box(Pop3_Port=type(self).rig.ports[port], Pop3_SSL=security)
                a, b, c = box.deliver(3)
                box.mail.append("INBOX", b"Subject: somebody else's\r\n\r\nHello.\r\n")
                box.phone("delete", b)
                self.assertIn(b, box.sync("--dry-run").stdout)
                self.assertEqual({a, b, c}, set(box.mail.ids()), "a dry run has deleted")
                box.sync()
                box.check({a: ("new", "INBOX"), b: ("deleted", ""), c: ("new", "INBOX")})
                self.assertEqual(["deleted on the phone"], box.history(b))
                # Its unique-id is known now.
                box.phone("delete", c)
                box.sync()
                box.check({a: ("new", "INBOX"), b: ("deleted", ""), c: ("deleted", "")})
                self.assertEqual(1, len([mail for mail in box.mail.mails() if not mail.id]))
                self.assertEqual("ok", box.status()["state"], box.status())

    def test_in_clear(self):
        rig = type(self).rig
        options = {"Pop3_Server": self.plain_host, "Pop3_Port": rig.ports["pop3"], "Pop3_SSL": "No"}
        box = self.box(**options)
        [a] = box.deliver(1)
        box.phone("delete", a)
        told = box.sync(status=75).stderr
        self.assertIn("allow a cleartext password", told)
        box.unit.set(box.number, Allow_Cleartext_Password="Yes")
        box.sync()
        box.check({a: ("deleted", "")})

    def test_what_the_mail_client_does_stays_there(self):
        box = self.box()
        a, b, c = box.deliver(3)
        box.mail.add_flags("INBOX", a, READ)
        box.mail.expunge("INBOX", b)
        box.phone("mark", c, "--read")
        box.sync()
        box.check({a: ("new", rf"INBOX {READ}"), b: ("new", ""), c: ("read", "INBOX")})

    def test_already_fetched_and_removed(self):
        box = self.box()
        known, unknown, last = box.deliver(3)
        box.phone("delete", last)
        box.sync()  # looks at all of them
        box.mail.expunge("INBOX", known)
        box.phone("delete", known)
        box.sync()
        self.assertEqual(["not in the account any more"], box.history(known))
        box.check({known: ("deleted", ""), unknown: ("new", "INBOX")})

    def test_restored_before_the_visit(self):
        box = self.box()
        a, b = box.deliver(2)
        box.phone("delete", a)
        box.phone("delete", b)
        box.phone("restore", a)
        box.sync()
        box.check({a: ("new", "INBOX"), b: ("deleted", "")})

    def test_a_wrong_password(self):
        box = self.box(Pop3_Password="wrong")
        [a] = box.deliver(1)
        box.phone("delete", a)
        done = box.sync(status=75)
        self.assertIn(f"{box.number}: ", done.stderr)
        self.assertNotIn("wrong", done.stderr)
        box.unit.set(box.number, Pop3_Password=PASSWORD)
        box.sync()
        box.check({a: ("deleted", "")})

    def test_not_programmed(self):
        box = self.box(Pop3_Server="None", Pop3_Account="None", Pop3_Password="")
        [a] = box.deliver(1)
        box.phone("delete", a)
        box.unit.once()
        box.check({a: ("deleted", "INBOX")})
        self.assertEqual(("ok", ""), (box.status()["state"], box.status()["reason"]))
        self.assertIn("Pop3 Server is not set", box.sync(status=78).stderr)

    def test_with_an_agent(self):
        unit = self.unit("libsmtppop3.so")
        box = self.box(unit=unit)
        [a] = box.deliver(1)
        with unit.agent():
            box.phone("delete", a)
            box.seen_in_the_mail(a, "")
            self.assertIn("in step", box.sync().stdout)

    def test_switched_with_vmconfig(self):
        unit = self.unit()
        rig = type(self).rig
        box = self.box(
            unit=unit,
            Imap4_Server=rig.host,
            Imap4_Port=rig.ports["imaps"],
            Imap4_SSL="Yes",
            Imap4_Account="",
            Imap4_Password=PASSWORD,
        )
        unit.set(box.number, Imap4_Account=box.user)
        shown = unit.config("mailbox", "show", box.number).stdout
        self.assertIn("Imap4 Server", shown)
        self.assertNotIn("Pop3 Server", shown)
        [a] = box.deliver(1)
        box.sync()
        unit.use_plugin("libsmtppop3.so")
        shown = unit.config("mailbox", "show", box.number).stdout
        self.assertIn("Pop3 Server", shown)
        self.assertNotIn("Imap4 Server", shown)
        [b] = box.deliver(1)
        box.phone("delete", a)
        box.phone("delete", b)
        box.sync()
        box.check({a: ("deleted", ""), b: ("deleted", "")})


class DovecotTest(Rules, TestCase):
    plain_host = PLAIN_HOST

    @classmethod
    def setUpClass(cls):
        cls.rig = start(Dovecot())
        cls.addClassCleanup(cls.rig.stop)
        super().setUpClass()

    def test_one_of_a_thousand(self):
        """Greeting, CAPA, AUTH; UIDL; 1,001 TOP; DELE and QUIT."""
        rig = self.rig
        with CountingProxy(rig.ports["pop3"], PLAIN_HOST) as proxy:
            box = self.box(
                Pop3_Server="127.0.0.1", Pop3_Port=proxy.port, Pop3_SSL="No", Allow_Cleartext_Password="Yes"
            )
            [a] = box.deliver(1)
            rig.server.put(box.user, 1000)
            box.phone("delete", a)
            proxy.reset()
            box.sync()
            cost = proxy.cost()
            print(f"to find and delete one of 1,001 mails: {cost.round_trips} round trips", end="; ", flush=True)
            self.assertEqual(1, cost.connections)
            told = "\n".join(f"{who}: {data[:200]!r}" for who, data in proxy.said)
            self.assertLessEqual(cost.round_trips, 5, told)
            box.check({a: ("deleted", "")})
            self.assertEqual(1000, len(box.mail.mails()))
            # Nothing to delete: nobody is asked.
            proxy.reset()
            box.sync()
            self.assertEqual(0, proxy.cost().connections)

    def test_a_locked_maildrop(self):
        box = self.box()
        [a] = box.deliver(1)
        box.phone("delete", a)
        with box.fetching():
            told = box.sync(status=75).stderr
            self.assertIn("[IN-USE]", told)
        box.sync()
        box.check({a: ("deleted", "")})


class CyrusTest(Rules, TestCase):
    plain_host = "127.0.0.1"

    @classmethod
    def setUpClass(cls):
        cls.rig = start(Cyrus())
        cls.addClassCleanup(cls.rig.stop)
        super().setUpClass()


if __name__ == "__main__":
    vmunit.main()
