"""The bench's part about synchronisation: how soon one end learns what was done at the other.

One mailbox with IDLE, the agent parked. A second client, which does nothing but IDLE, waits on the
same mailbox: what counts is how much later than it the phone's list knows. (The server itself waits:
Dovecot half a second.) The store is asked every millisecond, the account as fast as it answers.
"""

import select
import sqlite3
import statistics
import time

import mailclient
import mailrig
import media
import vmunit

MOST_MS_AFTER_IDLE = 100
MOST_MS_TO_ACCOUNT = 200
LONGEST_SECONDS = 30


class IdleClient(mailclient.MailClient):
    """Says when the server told it that a message is gone."""

    def begin(self):
        self.imap.select("INBOX")
        self.imap.send(b"x1 IDLE\r\n")
        while not self.imap.readline().startswith(b"+"):
            pass

    def wait(self):
        while b"EXPUNGE" not in self.imap.readline():
            pass
        return time.monotonic()


class Phone:
    """The store, as `vmctl message list` reads it, without the start of a process."""

    def __init__(self, unit):
        self._store = sqlite3.connect(f"file:{unit.root}/var/vm.db?mode=ro", uri=True, isolation_level=None)

    def state(self, identity):
        [(state,)] = self._store.execute("SELECT state FROM messages WHERE id = ?", (identity,)).fetchall()
        return state

    def wait_until_deleted(self, identity):
        limit = time.monotonic() + LONGEST_SECONDS
        while self.state(identity) != "deleted":
            if time.monotonic() > limit:
                raise vmunit.Failed(f"{identity} is still on the phone")
            select.select([], [], [], 0.001)
        return time.monotonic()

    def close(self):
        self._store.close()


def from_mail(phone, client, idle, identities):
    """Milliseconds from the other client's news to the phone's, for each."""
    out = []
    for identity in identities:
        idle.begin()
        client.expunge("INBOX", identity)
        told = idle.wait()
        out.append((phone.wait_until_deleted(identity) - told) * 1000)
        idle.imap.send(b"DONE\r\n")
        while not idle.imap.readline().startswith(b"x1 "):
            pass
    return out


def from_phone(unit, client, identities):
    """Milliseconds from the end of `vmctl message delete` until a search does not find it."""
    out = []
    client.imap.select("INBOX")
    for identity in identities:
        unit.ctl("message", "delete", identity)
        start = time.monotonic()
        while client.imap.uid("SEARCH", "HEADER", "X-VM-Message-Id", identity)[1][0]:
            if time.monotonic() - start > LONGEST_SECONDS:
                raise vmunit.Failed(f"{identity} is still in the account")
        out.append((time.monotonic() - start) * 1000)
    return out


def measure(build, work, count):
    """The two medians in milliseconds; prints them."""
    with mailrig.MailRig({"ann": "secret"}) as rig:
        unit = vmunit.Unit(build=build, root=work / "sync")
        unit.mailbox(
            "101",
            rig,
            "ann",
            Email_Integration_Sync_Mode="Inbox Only",
            Imap4_Server=rig.host,
            Imap4_Port=rig.ports["imaps"],
            Imap4_SSL="Yes",
            Imap4_Account="ann",
            Imap4_Password="secret",
        )
        with unit.agent() as agent:
            agent.wait_for_workers()
            recording = media.recording("digits/1")
            identities = [unit.add("101", recording) for _ in range(2 * count)]
            phone = Phone(unit)
            mailrig.wait_until(
                f"{2 * count} linked messages",
                lambda: phone._store.execute("SELECT COUNT(*) FROM links").fetchall() == [(2 * count,)],
                120,
            )
            with mailclient.MailClient(rig, "ann") as client, IdleClient(rig, "ann") as idle:
                mail = from_mail(phone, client, idle, identities[:count])
                back = from_phone(unit, client, identities[count:])
            phone.close()
    print(f"\nsynchronisation, {count} deletions each way, milliseconds: median (least..most)")
    for what, values in (("in the mail -> phone, after a bare IDLE client", mail), ("on the phone -> account", back)):
        print(f"   {what:<46} {statistics.median(values):6.1f} ({min(values):.1f}..{max(values):.1f})")
    return statistics.median(mail), statistics.median(back)
