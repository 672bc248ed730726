"""What the synchronisation tests share: a mailbox of the unit and its account, seen from both ends.

    class SomeTest(synctest.TestCase):
        def test_x(self):
            box = self.box("Inbox Only")
            a, b = box.deliver(2)               sent, arrived, linked
            box.phone("mark", a, "--read")
            box.mail.expunge("INBOX", b)
            box.sync()                          one pass; complete when it returns
            box.check({a: ("read", r"INBOX \\Seen"), b: ("deleted", "")})

A message reads as "new", "read urgent", "new in Work"; its mail as "INBOX", r"INBOX \\Flagged \\Seen",
and as "" when the account has none. No agent runs unless a test starts one: a pass happens when a
test asks for it, and both sides can change before.
"""

import json

import media
import vmunit
from mailclient import MailClient
from mailrig import MailRig, wait_until
from passwords import PASSWORD

VM_FOLDER = "Voice Mail Messages"
RECORDING = "digits/1"  # short: what is tested is not the audio


def start(server=None):
    """A rig with accounts for many tests."""
    rig = MailRig({f"user{n}": PASSWORD for n in range(150)}, server)
    try:
        rig.start()
    except BaseException:
        rig.stop()
        raise
    return rig


class Box:
    """A mailbox, its account, and the subscriber's mail client."""

    def __init__(self, test, unit, rig, number, user, mode, options):
        self.test, self.unit, self.rig, self.number, self.user = test, unit, rig, number, user
        self.home = VM_FOLDER if mode == "VM Folder Only" else "INBOX"
        values = {
            "Email_Integration_Sync_Mode": mode,
            "Imap4_Server": rig.host,
            "Imap4_Port": rig.ports["imaps"],
            "Imap4_SSL": "Yes",
            "Imap4_Account": user,
            "Imap4_Password": rig.users[user],
        }
        unit.mailbox(number, rig, user, **{**values, **options})
        self._mail = None

    @property
    def mail(self):
        if self._mail is None:
            self._mail = MailClient(self.rig, self.user)
            self.test.addCleanup(self._mail.close)
        return self._mail

    def server_stopped(self):
        """The rig's, with our client gone before."""
        if self._mail is not None:
            self._mail.close()
            self._mail = None
        return self.rig.server_stopped()

    # ---- the phone ------------------------------------------------------------------------------
    def add(self, *arguments):
        return self.unit.add(self.number, media.recording(RECORDING), "voice", *arguments)

    def phone(self, what, identity, *arguments):
        """`vmctl message WHAT`: what the telephone's side does to a message."""
        self.unit.ctl("message", what, identity, *arguments)

    def messages(self):
        listed = self.unit.ctl("message", "list", "--mailbox", self.number, "--all", "--json").stdout
        return {message["id"]: message for message in json.loads(listed)["messages"]}

    def link(self, identity):
        return self.messages()[identity]["link"]

    def status(self):
        [status] = [
            mailbox
            for mailbox in json.loads(self.unit.ctl("status", "--json").stdout)["mailboxes"]
            if mailbox["mailbox"] == self.number
        ]
        return status

    # ---- a pass -----------------------------------------------------------------------------------
    def sync(self, *arguments, status=0):
        return self.unit.ctl("sync", self.number, *arguments, status=status)

    def push(self, status=0):
        """Sends what waits, and lets it arrive."""
        self.unit.once("--mailbox", self.number, status=status)
        self.rig.drain()

    def deliver(self, count, *arguments):
        """New messages that have arrived and are linked; in mode VM Folder Only after a mail rule of
        the subscriber's has filed them."""
        identities = [self.add(*arguments) for _ in range(count)]
        self.push()
        self.arrive(*identities)
        return identities

    def arrive(self, *identities):
        wait_until(
            lambda: f"arrival of {identities}; {self.mail.mails()}", lambda: set(identities) <= set(self.mail.ids())
        )
        if self.home != "INBOX":
            if self.home not in self.mail.folders():
                self.sync()
            for identity in identities:
                self.mail.move("INBOX", identity, self.home)
        self.sync()
        messages = self.messages()
        for identity in identities:
            link = messages[identity]["link"]
            if not link or link["folder"] != self.home:
                raise vmunit.Failed(f"{identity} is not linked: {messages[identity]}; {self.unit.trace()[-3000:]}")

    # ---- both ends --------------------------------------------------------------------------------
    @staticmethod
    def describe(message):
        urgent = " urgent" if message["urgent"] else ""
        return message["state"] + urgent + ("" if message["folder"] == "INBOX" else f" in {message['folder']}")

    def account(self):
        """Every mail of the unit's in the account, as texts: id -> places."""
        places = {}
        for folder in self.mail.folders():
            for mail in self.mail.mails(folder):
                if mail.id:
                    places.setdefault(mail.id, []).append(" ".join([folder, *sorted(mail.flags)]))
        return {identity: " + ".join(sorted(found)) for identity, found in places.items()}

    def check(self, expected):
        """`expected`: id -> (the message, its mail). Everything is compared at once."""
        messages, account = self.messages(), self.account()
        found = {identity: (self.describe(messages[identity]), account.get(identity, "")) for identity in expected}
        if found != expected:
            told = "\n".join(self.unit.ctl("message", "history", i).stdout for i in expected if found[i] != expected[i])
            self.test.assertEqual(expected, found, f"{told}\n{self.unit.trace()[-3000:]}")

    def seen_on_the_phone(self, identity, wanted, seconds=30):
        """Waits, without asking for a pass, until the message reads so."""
        wait_until(
            lambda: f"{wanted} message; {self.messages()[identity]}; {self.unit.trace()[-3000:]}",
            lambda: self.describe(self.messages()[identity]) == wanted,
            seconds,
        )

    def seen_in_the_mail(self, identity, wanted, seconds=30):
        wait_until(
            lambda: f"mail at {wanted!r}; {self.account()}; {self.unit.trace()[-3000:]}",
            lambda: self.account().get(identity, "") == wanted,
            seconds,
        )


class TestCase(vmunit.TestCase):
    """Set `rig` in setUpModule or setUpClass. One unit a class, a mailbox and an account a box."""

    rig = None
    misc = {}  # of Misc Setup

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = vmunit.Unit()
        cls.shared.also_said = cls.rig.logs
        cls.addClassCleanup(cls.shared.remove)
        for name, value in cls.misc.items():
            cls.shared.config("misc", "set", name, str(value))
        cls.numbers = iter(range(100, 1000))

    def box(self, mode="All Folders", unit=None, user=None, **options):
        rig = type(self).rig
        if not hasattr(rig, "free_users"):
            rig.free_users = iter(rig.users)
        user = user or next(rig.free_users)
        return Box(self, unit or self.shared, rig, str(next(self.numbers)), user, mode, options)
