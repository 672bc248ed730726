#!/usr/bin/env python3
"""Power loss: all writes of a unit's life are recorded, and replayed up to a cut onto a disk that has
kept of the unsynced ones what it liked (powerloss.py says what is assumed). The real programs must find
there:

- every id that was printed, with its recording as it was given;
- every message as the last `message list` before the cut showed it, or as the next one after it;
- of a mail that the server has taken at least that it is under way: never "queued" or "deferred";
- a database that SQLite finds nothing wrong with, and that takes the next message.

Recorded are vmconfig init and mailbox set, vmctl message add (two at once) and the phone's changes,
vmemaild --once with mails taken, refused and cut off behind the dot, and passes that link, move, delete
and expunge; once with the database closed by every program, which takes the WAL away, and once with it
held open. Not covered: a disk that lies about fsync, and damage to what lay there quietly.

    faults_powerloss_test.py                 some dozens of cuts
    faults_powerloss_test.py --cuts 2000 [--seed N]
"""

import concurrent.futures
import json
import os
import pathlib
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

import media
import vmunit
from faultoptions import option
from mailclient import MailClient
from mailrig import MailRig
from passwords import PASSWORD
from powerloss import Disk, Recorder
from scriptedsmtp import DeliveringSmtp

CUTS = option("--cuts", 48)
SEED = option("--seed", random.SystemRandom().randrange(10**6))
ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
NOWHERE = "127.9.9.9"  # nobody listens there
THREADS = 2  # that check images


class Recording:
    """A unit's life, recorded; `media` is what each printed id was given."""

    def __init__(self, directory, rig, user, hold_open):
        self.recorder = Recorder(vmunit.build_directory(), directory)
        self.unit = vmunit.Unit(root=self.recorder.root / "unit", environment=self.recorder.environment)
        self.media = {}
        self._rig, self._user = rig, user
        self._holder = None
        with DeliveringSmtp(rig, user, self.recorder.note) as self.smtp:
            self._live(hold_open)
        if self._holder:
            self._holder.communicate("\n")
        self.events = self.recorder.events()

    def _hold(self, database):
        """A reader, recorded as well: it may be the one that makes the WAL."""
        script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1])"
        script += "; print(c.execute('SELECT count(*) FROM messages').fetchone(), flush=True); input()"
        holder = subprocess.Popen(
            [sys.executable, "-c", script, str(database)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **self.recorder.environment},
        )  # fmt: skip
        if not holder.stdout.readline().startswith("("):
            raise vmunit.Failed("no reader")
        return holder

    def _list(self):
        self.unit.ctl("message", "list", "--all", "--json", "--mailbox", "101")

    def _add(self, name, *arguments):
        file = media.recording(name)
        identity = self.unit.add("101", file, "voice", *arguments)
        self.media[identity] = file.read_bytes()
        return identity

    def _live(self, hold_open):
        unit, rig = self.unit, self._rig
        unit.mailbox(
            "101", rig, self._user, "relay",
            Smtp_Port=self.smtp.port, Email_Integration_Sync_Mode="All Folders", Imap4_Server=rig.host,
            Imap4_Port=rig.ports["imaps"], Imap4_SSL="Yes", Imap4_Account=self._user,
            Imap4_Password=rig.users[self._user],
        )  # fmt: skip
        names = ("digits/1", "digits/2", "digits/3", "digits/4", "digits/5", "digits/6")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(self._add, names))
        if hold_open:
            self._holder = self._hold(unit.root / "var/vm.db")
        self._list()
        self.smtp.replies = iter(("250 2.0.0 taken", "451 4.3.0 later", self.smtp.DROP))
        unit.once(status=75)
        self._list()
        self.smtp.replies = iter(())
        unit.ctl("queue", "retry")
        self._list()
        unit.once(status=None)
        self._list()
        unit.ctl("sync", "101")
        self._list()
        a, b, c, d, e, _ = sorted(self.media)
        for change in (("mark", a, "--read"), ("move", b, "--folder", "Work"), ("delete", c)):
            unit.ctl("message", *change)
            self._list()
        with MailClient(rig, self._user) as mail:
            mail.expunge("INBOX", d)
            mail.add_flags("INBOX", e, r"\Seen")
        unit.ctl("sync", "101")
        self._list()
        unit.ctl("message", "restore", c)
        self._add("digits/7", "--urgent")
        self._list()
        unit.once(status=None)
        self._list()


class Expected:
    """What was promised at each place of the log."""

    def __init__(self, recording):
        self.media = recording.media
        self.lists, self.added, self.taken, self.marks = [], [], [], []
        for at, event in enumerate(recording.events):
            if event.kind == "N":
                self.taken.append((at, event.first))
            elif event.kind == "P" and ID.fullmatch(event.first.strip()):
                self.added.append((at, event.first.strip()))
            elif event.kind == "P" and event.first.startswith("{") and '"messages"' in event.first:
                self.lists.append((at, {m["id"]: m for m in json.loads(event.first)["messages"]}))
            else:
                continue
            self.marks.append(at)

    def problems(self, cut, found, media_of):
        """`found`: the messages by id; `media_of` gives the bytes of one's recording."""
        shown_at, before = next(((at, l) for at, l in reversed(self.lists) if at < cut), (0, {}))
        after = next((l for at, l in self.lists if at >= cut), None) or before
        taken = {identity for at, identity in self.taken if shown_at < at < cut}
        for identity in {*before, *(i for at, i in self.added if at < cut)} - set(found):
            yield f"{identity} was printed and is gone"
        for identity, message in found.items():
            if media_of(message) != self.media.get(identity):
                yield f"{identity}: another recording"
            shown = [l[identity] for l in (before, after) if identity in l]
            for field in ("state", "folder", "urgent", "link", "received", "duration_ms"):
                if shown and message[field] not in [s[field] for s in shown]:
                    yield f"{identity}: {field} is {message[field]}, shown were {[s[field] for s in shown]}"
            states = [s["delivery"]["state"] for s in shown] or ["queued"]
            allowed = {"queued", "sending", "uncertain", *states}
            if identity in taken:
                allowed = {"sending", "uncertain", "sent"}
            elif states[0] == states[-1] == "sent":
                allowed = {"sent"}
            if message["delivery"]["state"] not in allowed:
                yield f"{identity}: delivery {message['delivery']['state']}, not {allowed}"


class Image:
    """One state of the disk, opened by the real programs."""

    def __init__(self, directory):
        self.directory = directory
        self.unit = vmunit.Unit.__new__(vmunit.Unit)
        self.unit.build, self.unit.root, self.unit.environment = vmunit.build_directory(), directory / "unit", {}

    def check(self, expected, cut):
        database = self.unit.root / "var/vm.db"
        if not expected.added or cut <= expected.added[0][0]:
            # Nothing was promised yet; vmconfig init and mailbox create finish what they began.
            self.unit.config("init")
            if not (self.unit.root / "etc/mailboxes/101.ini").exists():
                self.unit.config("mailbox", "create", "101")
            self.unit.ctl("message", "list")
            return
        ini = self.unit.root / "etc/mailboxes/101.ini"
        ini.write_text(re.sub(r"(?m)^((Smtp|Imap4) Server *=).*$", rf"\1 {NOWHERE}", ini.read_text()))
        yield from expected.problems(cut, self._messages(), self._media)
        yield from self._database(database)
        before = self._messages()
        # What was being sent is uncertain now; with no server there nothing else comes of it.
        self.unit.once(status=None)
        for identity, message in self._messages().items():
            was, now = before[identity]["delivery"]["state"], message["delivery"]["state"]
            if now not in {"queued": {"queued", "deferred"}, "sending": {"uncertain"}}.get(was, {was}):
                yield f"{identity}: {was} became {now}"
        identity = self.unit.add("101", media.recording("digits/8"))
        if self.unit.state(identity) != "queued":
            yield "the next message is not queued"
        yield from self._database(database)

    def _messages(self):
        told = self.unit.ctl("message", "list", "--all", "--json", "--mailbox", "101").stdout
        return {message["id"]: message for message in json.loads(told)["messages"]}

    def _media(self, message):
        file = self.unit.root / f"var/media/{message['id'][-2:]}/{message['id']}.wav"
        return file.read_bytes() if file.exists() else None

    @staticmethod
    def _database(file):
        with sqlite3.connect(file) as store:
            told = store.execute("PRAGMA integrity_check").fetchall()
            broken = store.execute("PRAGMA foreign_key_check").fetchall()
        store.close()
        if told != [("ok",)] or broken:
            yield f"integrity_check: {told} {broken}"


class PowerLossTest(vmunit.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="vmpower."))
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)
        cls.recordings = {}
        with MailRig({name: PASSWORD for name in ("closed", "open")}) as rig:
            for name in rig.users:
                (cls.directory / name).mkdir()
                cls.recordings[name] = Recording(cls.directory / name, rig, name, name == "open")

    def cuts(self, expected, count, end):
        """Half of them where something was just said, the rest anywhere."""
        dice = random.Random(SEED)
        marks = dice.sample(expected.marks, min(count // 2, len(expected.marks)))
        anywhere = [dice.randrange(end) for _ in range(count - len(marks))]
        return sorted([mark + 1 for mark in marks] + anywhere)

    def replayed(self, name):
        recording = self.recordings[name]
        self.assertEqual([], [e.first for e in recording.events if e.kind == "X"])
        expected = Expected(recording)
        printed = [identity for _, identity in expected.added]
        self.assertEqual(set(recording.media), set(printed), "every id that came out has its place in the log")
        self.assertGreaterEqual(len(expected.taken), 6)
        disk, at, checks = Disk(recording.recorder.root), 0, []
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            for number, cut in enumerate(self.cuts(expected, CUTS // 2, len(recording.events))):
                for event in recording.events[at:cut]:
                    disk.apply(event)
                at = max(at, cut)
                directory = self.directory / f"{name}.{number}"
                disk.write_image(directory, random.Random(SEED * 1000 + number))
                checks.append(pool.submit(self.problems, directory, expected, cut))
            problems = [problem for check in checks for problem in check.result()]
        print(f"{name}: {len(recording.events)} operations, {len(checks)} cuts, {len(problems)} problems; seed {SEED}")
        self.assertEqual([], problems)

    def problems(self, directory, expected, cut):
        try:
            return [f"cut {cut}: {problem}" for problem in Image(directory).check(expected, cut)]
        except (vmunit.Failed, sqlite3.Error, json.JSONDecodeError, OSError) as failure:
            return [f"cut {cut}: {type(failure).__name__}: {failure}"]
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def test_with_the_database_closed_by_every_program(self):
        self.replayed("closed")

    def test_with_the_database_held_open(self):
        self.replayed("open")


if __name__ == "__main__":
    os.umask(0o022)
    vmunit.main()
