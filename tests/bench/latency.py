"""How soon one end learns what was done at the other.

A second client, which does nothing but IDLE, waits on the same mailbox as the agent: what counts is how much
later than it the phone's list knows. (The server itself waits: Dovecot half a second.) The store is asked every
millisecond, the account as fast as it answers.
"""

import select
import sqlite3
import time

import mailclient
import vmunit

LONGEST_SECONDS = 30


class IdleClient(mailclient.MailClient):
    """Says when the server told it that a message is gone."""

    def begin(self):
        self.imap.select("INBOX")
        self.imap.send(b"x1 IDLE\r\n")
        self._read_until(lambda line: line.startswith(b"+"))

    def wait(self):
        self._read_until(lambda line: b"EXPUNGE" in line)
        return time.monotonic()

    def end(self):
        self.imap.send(b"DONE\r\n")
        self._read_until(lambda line: line.startswith(b"x1 "))

    def _read_until(self, is_it):
        self.imap.sock.settimeout(LONGEST_SECONDS)
        while not is_it(line := self.imap.readline()):
            if not line:
                raise mailclient.MailClientError("the server ended the connection")


class Phone:
    """The store, as `vmctl message list` reads it, without the start of a process."""

    def __init__(self, unit):
        self._store = sqlite3.connect(f"file:{unit.root}/var/vm.db?mode=ro", uri=True, isolation_level=None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._store.close()

    def state(self, identity):
        [(state,)] = self._store.execute("SELECT state FROM messages WHERE id = ?", (identity,)).fetchall()
        return state

    def links(self):
        [(count,)] = self._store.execute("SELECT COUNT(*) FROM links").fetchall()
        return count

    def wait_until_deleted(self, identity):
        limit = time.monotonic() + LONGEST_SECONDS
        while self.state(identity) != "deleted":
            if time.monotonic() > limit:
                raise vmunit.Failed(f"{identity} is still on the phone")
            select.select([], [], [], 0.001)
        return time.monotonic()


def deleted_in_mail(phone, client, idle, identity):
    """Seconds from the other client's news to the phone's."""
    idle.begin()
    client.expunge("INBOX", identity)
    told = idle.wait()
    late = phone.wait_until_deleted(identity) - told
    idle.end()
    return late


def deleted_on_phone(unit, client, identity):
    """Seconds from the end of `vmctl message delete` until a search does not find it; client has INBOX selected."""
    unit.ctl("message", "delete", identity)
    start = time.monotonic()
    while client.imap.uid("SEARCH", "HEADER", "X-VM-Message-Id", identity)[1][0]:
        if time.monotonic() - start > LONGEST_SECONDS:
            raise vmunit.Failed(f"{identity} is still in the account")
    return time.monotonic() - start
