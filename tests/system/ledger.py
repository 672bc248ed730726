"""What was done to a mailbox and its account, in order, and whether both are now as that demands.

    line = Line(unit, rig, "101", "ann")        the mailbox and the account ann, in step
    a = line.add()                              done with vmctl, and noted
    line.phone("mark", a, "--read")             likewise
    line.subscriber("move", a, "Work")          by an IMAP client of the subscriber's
    line.foreign("INBOX", 3, "T")               mails of others
    line.problems()  ->  []                     once all of it has gone across

Between two moments of being in step one message is changed from one side only; then what both
sides must come to is simply the last of what was done (the rules for both at once are tested by
sync_rules_test.py). Of a maildrop (`pop3`) only deletions on the phone travel.
"""

import contextlib
import copy
import dataclasses
import json
import sqlite3

import media
from mailclient import MailClient

RECORDING = "digits/1"  # short: what is tested is not the audio
TRASH = "Trash"
FATAL = ("lost", "doubled", "foreign", "nobody")  # problems that begin so are not mended by waiting
SEEN, FLAGGED, DELETED = r"\Seen", r"\Flagged", r"\Deleted"


@dataclasses.dataclass
class Wanted:
    """What one message must come to, on both sides."""

    read: bool = False
    urgent: bool = False
    folder: str = "INBOX"
    deleted: bool = False
    in_trash: bool = False  # of a deleted one: its mail lies in Trash, else nowhere; None: either
    purged: bool = False  # deleted for good: in the unit there is no trace of it

    def __str__(self):
        words = ["read" if self.read else "new", "urgent" if self.urgent else "", f"in {self.folder}"]
        if self.deleted:
            words = ["purged" if self.purged else "deleted", "in Trash" if self.in_trash else ""]
        return " ".join(filter(None, words))


def account(rig, user, protocol, port):
    """The options of a mailbox whose account is `user`, over TLS; for Unit.mailbox()."""
    return {
        f"{protocol}_Server": rig.host,
        f"{protocol}_Port": rig.ports[port],
        f"{protocol}_SSL": "Yes",
        f"{protocol}_Account": user,
        f"{protocol}_Password": rig.users[user],
    }


class Line:
    def __init__(self, unit, rig, number, user, pop3=False, trash=False):
        self.unit, self.rig, self.number, self.user, self.pop3, self.trash = unit, rig, number, user, pop3, trash
        self.wanted = {}  # id -> Wanted
        self.strangers = None  # (folder, UID) -> Mail; None: whatever lies there
        self.strays = 0  # at most so many messages more: their `vmctl message add` was killed
        self._mail = None

    @property
    def mail(self):
        """The subscriber's client."""
        if self._mail is None:
            self._mail = MailClient(self.rig, self.user)
        return self._mail

    def close(self):
        if self._mail is not None:
            self._mail.close()
            self._mail = None

    def copy(self, unit, user):
        """The same mailbox in a copy of its unit, with a copy of its account."""
        line = type(self)(unit, self.rig, self.number, user, self.pop3, self.trash)
        line.wanted, line.strangers = copy.deepcopy(self.wanted), copy.copy(self.strangers)
        return line

    # ---- what is done -------------------------------------------------------------------------------
    def arguments_to_add(self):
        return ["message", "add", "--mailbox", self.number, "--kind", "voice", "--file", media.recording(RECORDING)]

    def add(self):
        identity = self.unit.ctl(*self.arguments_to_add()).stdout.strip()
        self.added(identity)
        return identity

    def added(self, identity):
        self.wanted[identity] = Wanted()

    def phone(self, what, identity, *arguments):
        """`vmctl message WHAT`."""
        self.unit.ctl("message", what, identity, *arguments)
        self.phoned(what, identity, *arguments)

    def phoned(self, what, identity, *arguments):
        """It was done."""
        wanted = self.wanted[identity]
        if what == "mark":
            wanted.read = "--read" in arguments
        elif what == "urgent":
            wanted.urgent = "--set" in arguments
        elif what == "move":
            wanted.folder = arguments[-1]
        elif what == "delete":
            wanted.deleted, wanted.in_trash = True, self.trash
        elif what == "restore":
            wanted.deleted = wanted.in_trash = False

    def subscriber(self, what, identity, *arguments):
        """What the subscriber's mail program does to a mail that lies where it is wanted."""
        wanted = self.wanted[identity]
        place = self.place(wanted)
        if what in ("flag", "unflag"):
            change = self.mail.add_flags if what == "flag" else self.mail.clear_flags
            change(place, identity, *arguments)
            if self.pop3:
                return
            wanted.read = what == "flag" if SEEN in arguments else wanted.read
            wanted.urgent = what == "flag" if FLAGGED in arguments else wanted.urgent
        elif what == "expunge":
            self.mail.expunge(place, identity)
            wanted.deleted, wanted.in_trash = True, False
        elif what == "trash":
            self.mail.move(place, identity, TRASH)
            wanted.deleted = wanted.in_trash = True
        elif what == "untrash":
            self.mail.move(TRASH, identity, place)
            wanted.deleted = wanted.in_trash = False
        elif what == "move":
            if arguments[0] not in self.mail.folders():
                self.mail.create(arguments[0])
            self.mail.move(place, identity, arguments[0])
            wanted.folder = arguments[0]

    def foreign(self, folder, count, flags="", first=0):
        """Mails of others, with Maildir's letters for flags; all that lie there now are to stay as
        they are."""
        self.rig.server.put(self.user, count, folder, flags, first)
        self.strangers = self.account()[1]

    def purge(self):
        """The retention of what is deleted ends."""
        for wanted in self.wanted.values():
            wanted.purged |= wanted.deleted

    def place(self, wanted):
        """Where in the account the message's mail lies."""
        return "INBOX" if self.pop3 else wanted.folder

    # ---- what there is ------------------------------------------------------------------------------
    def messages(self):
        listed = self.unit.ctl("message", "list", "--mailbox", self.number, "--all", "--json").stdout
        return {message["id"]: message for message in json.loads(listed)["messages"]}

    def account(self):
        """(the unit's mails: id -> [(folder, Mail)], those of others: (folder, UID) -> Mail)"""
        ours, strangers = {}, {}
        for folder in self.mail.folders():
            for mail in self.mail.mails(folder):
                if mail.id:
                    ours.setdefault(mail.id, []).append((folder, mail))
                else:
                    strangers[folder, mail.uid] = mail
        return ours, strangers

    def media(self):
        """id -> the message's file, as the store has it."""
        with contextlib.closing(open_store(self.unit)) as store:
            rows = store.execute("SELECT id, media, size FROM messages WHERE mailbox = ?", (self.number,)).fetchall()
        return {identity: (self.unit.root / "var/media" / name, size) for identity, name, size in rows}

    # ---- the comparison -------------------------------------------------------------------------------
    def problems(self):
        """What is not as it must be, a line each. With an agent at work a mail may be on its way from
        a folder that was looked at to one that was not yet: see lasting()."""
        messages, media_files = self.messages(), self.media()
        ours, strangers = self.account()
        told = []
        strays = [identity for identity in messages if identity not in self.wanted]
        for identity in strays[: self.strays]:
            self.added(identity)
        told += [f"nobody added {identity}" for identity in strays[self.strays :]]
        told += [f"nobody added the mail {identity}" for identity in ours if identity not in self.wanted]
        for identity, wanted in self.wanted.items():
            problems = self._of_unit(wanted, messages.get(identity), media_files.get(identity))
            problems += self._of_account(wanted, ours.get(identity, []), messages.get(identity))
            told += [f"{problem}: {identity}, wanted: {wanted}; {messages.get(identity)}" for problem in problems]
        return told + self._of_strangers(strangers)

    @staticmethod
    def _of_unit(wanted, message, media_file):
        if wanted.purged:
            return ["not purged"] if message or media_file else []
        if not message:
            return ["lost, no message"]
        problems = []
        file, size = media_file
        if not file.exists() or file.stat().st_size != size:
            problems.append(f"lost, {file} is not whole")
        if wanted.deleted:
            return problems + ([] if message["state"] == "deleted" else ["not deleted"])
        if (message["state"], message["urgent"]) != ("read" if wanted.read else "new", wanted.urgent):
            problems.append("another state")
        if message["folder"] != wanted.folder:
            problems.append("another folder")
        if message["delivery"]["state"] != "sent":
            problems.append("in the queue")
        return problems

    def _of_account(self, wanted, copies, message):
        problems = []
        if len(copies) > 1:
            problems.append(f"doubled, {copies}")
        places = [folder for folder, _ in copies]
        if wanted.deleted:
            allowed = [[TRASH], []] if wanted.in_trash is None else [[TRASH] if wanted.in_trash else []]
            if places not in allowed:
                problems.append(f"its mail is in {places}")
        elif places != [self.place(wanted)]:
            problems.append(f"its mail is in {places}")
        elif not self.pop3:
            [(folder, mail)] = copies
            flags = {flag for flag, is_set in ((SEEN, wanted.read), (FLAGGED, wanted.urgent)) if is_set}
            if mail.flags != flags:
                problems.append(f"its mail has {mail.flags}")
            if message and message["link"] != {"folder": folder, "uid": mail.uid}:
                problems.append("not linked")
        return problems

    def _of_strangers(self, strangers):
        if self.strangers is None or strangers == self.strangers:
            return []
        return [
            f"foreign mail {place}: {self.strangers.get(place)} is {strangers.get(place)}"
            for place in sorted({*strangers, *self.strangers})
            if strangers.get(place) != self.strangers.get(place)
        ]


def lasting(problems, before):
    """Those that no waiting mends; they were there at the last look, too."""
    return [problem for problem in problems if problem.startswith(FATAL) and problem in before]


def open_store(unit):
    """Not for reading only: without the file that readers and writers share it would read nonsense
    while an agent begins to write."""
    return sqlite3.connect(f"file:{unit.root}/var/vm.db?mode=rw", uri=True)


def intact(unit):
    """What SQLite finds wrong with the store."""
    with contextlib.closing(open_store(unit)) as store:
        return [row[0] for row in store.execute("PRAGMA integrity_check") if row[0] != "ok"]
