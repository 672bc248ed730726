"""Units and accounts with many mailboxes and messages, in seconds.

    unit = SeededUnit(context, "ours", ["101", "102"], options, lambda number: {"Imap4 Account": ...})
    messages = unit.seed("101", 1000, "sent")
    put_mails(rig.server, "user1", messages)
    unit.settle()          the agent finds and links them all

Messages are rows written into the unit's own store, and mails files written into the account's Maildir. What
joins them is the agent's work, as with every mail it finds.
"""

import collections
import contextlib
import json
import random
import re
import shutil
import sqlite3
import time

import mailrig
import measure
import media
import vmunit
from dovecot import PLAIN_HOST

Message = collections.namedtuple("Message", "id message_id")
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # of ULIDs
LONGEST_PASS = 200

MAIL = (
    "From: Voice Mail <voicemail@example.test>\r\nTo: {user}@example.test\r\nSubject: Voice message\r\n"
    "Message-ID: <{message_id}>\r\nX-VM-Message-Id: {id}\r\nDate: Mon, 06 Jan 2025 10:00:00 +0000\r\n"
    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    "A voice message; its recording is left out.\r\n"
)


def put_mails(server, user, messages, first=0):
    """The mails of these messages, unread, into the user's INBOX."""
    server.write(user, (MAIL.format(user=user, **message._asdict()) for message in messages), first=first)


class SeededUnit(vmunit.Unit):
    def __init__(self, context, name, numbers, options, differing=lambda number: {}):
        """A unit with the mailboxes `numbers`; `options` are those of all, differing(number) those of one."""
        super().__init__(build=context.build, root=context.work / name)
        self._context, self._numbers = context, list(numbers)
        self._random = random.Random(name)
        self._created = 0
        first = self._numbers[0]
        self.config("mailbox", "create", first)
        self.set(first, Email_Integration="Yes", **options)
        self.ctl("message", "list", "--all")  # makes the store
        template = self._file(first).read_text()
        for number in self._numbers:
            self._write(number, template, differing(number))
        self._recording("recording.wav", media.recording("digits/1"))

    # ---- mailboxes ------------------------------------------------------------------------------------
    def _file(self, number):
        return self.root / f"etc/mailboxes/{number}.ini"

    def _write(self, number, text, options):
        for name, value in options.items():
            text, count = re.subn(rf"(?m)^{re.escape(name)} =.*$", lambda _: f"{name} = {value}", text)
            if count != 1:
                raise vmunit.Failed(f"{name} stands {count} times in a file of mailbox options")
        file = self._file(number)
        file.write_text(text)
        file.chmod(0o600)

    def change_all(self, **options):
        """Of all mailboxes; no agent may run."""
        values = {name.replace("_", " "): value for name, value in options.items()}
        for number in self._numbers:
            self._write(number, self._file(number).read_text(), values)

    def copy(self, name, **options):
        """A second unit that knows the same, with other options. Not for two agents that change something."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.root = self._context.work / name
        shutil.copytree(self.root, other.root)
        other.change_all(**options)
        return other

    # ---- messages ---------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def store(self):
        """A transaction in the store; no agent may run. Its log is empty afterwards."""
        connection = sqlite3.connect(self.root / "var/vm.db", isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()

    def query(self, statement, *parameters):
        connection = sqlite3.connect(f"file:{self.root}/var/vm.db?mode=ro", uri=True, isolation_level=None)
        try:
            return connection.execute(statement, parameters).fetchall()
        finally:
            connection.close()

    def _recording(self, name, source):
        """What the messages added from now on have as their recording."""
        target = self.root / "var/media" / name
        shutil.copyfile(source, target)
        target.chmod(0o600)
        self._media, self._size, self._duration = name, target.stat().st_size, media.duration_ms(target)

    def use_recording(self, source):
        self._recording(source.name, source)

    def _id(self, now):
        self._created += 1
        digits = (now << 80) | self._random.getrandbits(80)
        return "".join(ALPHABET[digits >> 5 * place & 31] for place in reversed(range(26)))

    def seed(self, number, count, delivery):
        """So many messages with this state of delivery: sent, or queued."""
        now = time.time_ns() // 1_000_000
        sent = delivery == "sent"
        identities = [self._id(now) for _ in range(count)]
        messages = [Message(one, f"{one.lower()}@example.test" if sent else "") for one in identities]
        with self.store() as store:
            store.executemany(
                "INSERT INTO messages (id, mailbox, kind, folder, state, urgent, private, caller_number, caller_name,"
                " received, duration_ms, pages, size, media, created)"
                " VALUES (?, ?, 'voice', 'INBOX', 'new', 0, 0, '5551234', '', ?, ?, 0, ?, ?, ?)",
                [(m.id, number, now, self._duration, self._size, self._media, now) for m in messages],
            )
            store.executemany(
                "INSERT INTO deliveries (message_id, mailbox, state, attempts, queued_at, next_attempt, last_reply,"
                " rfc_message_id) VALUES (?, ?, ?, ?, ?, ?, '', ?)",
                [(m.id, number, delivery, int(sent), now, now, m.message_id) for m in messages],
            )
            store.execute("INSERT OR IGNORE INTO mailbox_changes VALUES (?, 1, 1)", (number,))
        return messages

    def queue_again(self):
        """Every message is as it was before anybody tried to send it; no agent may run."""
        with self.store() as store:
            store.execute(
                "UPDATE deliveries SET state = 'queued', attempts = 0, next_attempt = queued_at, last_reply = '',"
                " rfc_message_id = ''"
            )
            store.execute("DELETE FROM history")

    # ---- the agent ----------------------------------------------------------------------------------------
    def pass_once(self, statuses=(0,)):
        """`vmemaild --once`, measured."""
        return measure.run(self.command("vmemaild", "--once"), LONGEST_PASS, statuses)

    def statuses(self):
        return json.loads(self.ctl("status", "--json").stdout)["mailboxes"]

    def settle(self):
        """Passes until the agent has linked every message that was sent, and once more: the second pass of a
        mailbox may have something left to learn."""
        self.pass_once()
        for status in self.statuses():
            if status["state"] != "ok" or status["linked"] != status["sent"] or not status["last_sync"]:
                raise vmunit.Failed(f"not linked: {status}; {self.trace()[-3000:]}")
        self.pass_once()

    @contextlib.contextmanager
    def parked_agent(self, seconds=LONGEST_PASS):
        """An agent, once every mailbox is linked and on a kept connection."""
        with self.store() as store:
            store.execute("UPDATE mailbox_status SET idle = 0")  # left by the agent before
        with self.agent() as agent:
            agent.wait_for_workers()
            mailrig.wait_until(lambda: f"parked mailboxes; {self._unparked()}", lambda: not self._unparked(), seconds)
            yield agent

    def _unparked(self):
        """Mailboxes that are not parked yet, and messages that are not linked."""
        [(parked,)] = self.query("SELECT COUNT(*) FROM mailbox_status WHERE idle AND state = 'ok'")
        [(linked,)] = self.query("SELECT COUNT(*) FROM links")
        [(sent,)] = self.query("SELECT COUNT(*) FROM deliveries WHERE state = 'sent'")
        missing = (len(self._numbers) - parked, sent - linked)
        return missing if any(missing) else None


def imap_options(rig, port=None, tls=False):
    """Options of all mailboxes of a unit that is kept in step with the rig's accounts: in clear, through a proxy
    if `port` is one's, or over TLS."""
    options = {
        "Email_Integration_Sync_Mode": "Inbox Only",
        "Email_Name": "ann@example.test",
        "Smtp_Server": "127.0.0.1",
        "Smtp_Port": rig.ports["relay"],
    }
    if tls:
        account = {"Server": rig.host, "Port": rig.ports["imaps"], "SSL": "Yes"}
        options["TLS_CA_File"] = rig.ca_file
    else:
        account = {"Server": PLAIN_HOST, "Port": rig.ports["imap"], "SSL": "No"}
        options["Allow_Cleartext_Password"] = "Yes"
        if port:
            account.update(Server="127.0.0.1", Port=port)
    return {**options, **{f"Imap4_{name}": value for name, value in account.items()}}


def account_of(rig, user):
    """Options of the one mailbox whose account it is."""
    return {"Imap4 Account": user, "Imap4 Password": rig.users[user], "Email Name": rig.address(user)}
