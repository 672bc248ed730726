"""Units whose store holds as many messages as one likes, for the bench.

The schema is made by the programs themselves; the rows are written by one SQL script in one transaction,
as the agent would have left them: each message was pushed, linked and seen in its account. Messages come
to the mailboxes in turn, as they do in a unit, so that those of one mailbox lie apart in the file.
"""

import pathlib
import sqlite3
import subprocess

FIRST_MAILBOX = 100_001
IN_A_MAILBOX = 100  # messages
WAITING = 20  # deliveries in the queue of each unit, whatever its size
FIRST_TIME = 1_700_000_000_000  # ms since 1970
EVERY_MS = 20_000  # a message comes

# :count messages in :mailboxes mailboxes. An id begins with its time, as ids do.
ROWS = """
CREATE TEMP TABLE many AS
    WITH RECURSIVE counted (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counted WHERE n + 1 < :count)
    SELECT n, printf('01K%07d%016d', n, n * 7919 % 1000003) AS id,
        CAST(:first_mailbox + n % :mailboxes AS TEXT) AS mailbox, :first_time + n * :every AS time,
        n % (:count / :waiting) = n / (:count / :waiting) AS waits
    FROM counted;
INSERT INTO messages (id, mailbox, kind, folder, state, urgent, private, caller_number, caller_name, received,
        duration_ms, pages, size, media, created, sender, subject)
    SELECT id, mailbox, 'voice', 'INBOX', CASE n % 3 WHEN 0 THEN 'new' ELSE 'read' END, 0, 0,
        printf('+4930%07d', n % 10000000), 'Zoe Example', time, 12000, 0, 192044,
        substr(id, -2) || '/' || id || '.wav', time, '', ''
    FROM many;
INSERT INTO deliveries (message_id, mailbox, state, attempts, queued_at, next_attempt, last_reply, rfc_message_id,
        postponed)
    SELECT id, mailbox, CASE waits WHEN 1 THEN 'deferred' ELSE 'sent' END, 1, time,
        CASE waits WHEN 1 THEN 4000000000000 ELSE 0 END, '250 2.0.0 Ok: queued as 4XyZ', id || '@example.test', waits
    FROM many;
INSERT INTO links (message_id, folder, uidvalidity, uid)
    SELECT id, 'INBOX', 1, n / :mailboxes + 1 FROM many WHERE NOT waits;
INSERT INTO mail_copies (message_id, folder, uidvalidity, uid, seen, flagged, deleted)
    SELECT id, 'INBOX', 1, n / :mailboxes + 1, 0, 0, 0 FROM many WHERE NOT waits;
INSERT INTO history (message_id, step, time, what, old_value, new_value, reply)
    SELECT id, step, time, what, old, new, reply FROM many, (
        SELECT 1 AS step, 'added' AS what, '' AS old, 'new' AS new, '' AS reply
        UNION ALL SELECT 2, 'delivery', '', 'queued', ''
        UNION ALL SELECT 3, 'delivery', 'queued', 'sending', 'attempt 1'
        UNION ALL SELECT 4, 'delivery', 'sending', 'sent', '250 2.0.0 Ok: queued as 4XyZ');
INSERT INTO sync_states (mailbox, account, scope, is_on, hold, released, released_keep, releases, last_pass, last_every)
    SELECT DISTINCT mailbox, 'an account', 'INBOX', 1, '', 0, 0, 0, 0, 0 FROM many WHERE n < :mailboxes;
INSERT INTO sync_folders (mailbox, folder, uidvalidity, uid_next, modseq)
    SELECT mailbox, 'INBOX', 1, 1000, 1000 FROM many WHERE n < :mailboxes;
INSERT INTO mailbox_changes (mailbox, sequence, phone_sequence)
    SELECT mailbox, n + 1, n + 1 FROM many WHERE n < :mailboxes;
INSERT INTO waiting_told (mailbox, new_messages, old_messages) SELECT mailbox, 0, 0 FROM many WHERE n < :mailboxes;
INSERT INTO mailbox_status (mailbox, state, reason, changed, last_sync)
    SELECT mailbox, 'ok', '', :first_time, :first_time FROM many WHERE n < :mailboxes;
DROP TABLE many;
"""


class BigStore:
    """A unit with `count` messages; nothing of it but the directory has to be taken away."""

    def __init__(self, build, root, count):
        self.build, self.root, self.count = pathlib.Path(build).absolute(), pathlib.Path(root), count
        self.mailboxes = [str(FIRST_MAILBOX + n) for n in range(count // IN_A_MAILBOX)]
        self.run("vmconfig", "init")
        self.run("vmconfig", "misc", "set", "g_szEmailDllPath", self.build / "lib/libsmtpimap4.so")
        self._write_options()
        self.run("vmctl", "queue", "list")  # makes the schema
        self._write_rows()

    def _write_options(self):
        """Pushes, to a server that is not there, and is not kept in step: no command meets the network."""
        first = self.mailboxes[0]
        self.run("vmconfig", "mailbox", "create", first)
        options = ("Email Name=ann@example.test", "Smtp Server=127.0.0.1", "Smtp Port=9")
        self.run("vmconfig", "mailbox", "set", first, *options)
        self.run("vmconfig", "mailbox", "set", first, "Email Integration Sync Mode=None", "Email Integration=Yes")
        text = (self.root / f"etc/mailboxes/{first}.ini").read_bytes()
        for number in self.mailboxes[1:]:
            file = self.root / f"etc/mailboxes/{number}.ini"
            file.write_bytes(text)
            file.chmod(0o600)

    def _write_rows(self):
        values = {"count": self.count, "mailboxes": len(self.mailboxes), "first_mailbox": FIRST_MAILBOX}
        values.update(first_time=FIRST_TIME, every=EVERY_MS, waiting=WAITING)
        script = ROWS
        for name, value in values.items():
            script = script.replace(f":{name}", str(value))
        database = sqlite3.connect(self.root / "var/vm.db", isolation_level=None)
        # Without a journal, which would be as large as the store.
        database.executescript(f"PRAGMA journal_mode = OFF; PRAGMA cache_size = -400000; BEGIN; {script} COMMIT;")
        database.execute("PRAGMA journal_mode = WAL")
        database.close()

    def command(self, program, *arguments):
        return [str(self.build / "bin" / program), "--root", str(self.root), *map(str, arguments)]

    def run(self, program, *arguments):
        """A program to its end; what it printed. Another exit status than 0 is an error."""
        done = subprocess.run(
            self.command(program, *arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} {arguments}: status {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def query(self, sql):
        """All rows of a query of the database itself."""
        database = sqlite3.connect(self.root / "var/vm.db")
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()
