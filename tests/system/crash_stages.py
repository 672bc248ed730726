"""The stages of crash_points_test.py: all that is done to a message on either side.

A stage is a function. On a scene that is in step it does, without any kill, what a program is to find,
and returns the Program. That one may be killed anywhere; when it has been run once more (a command of
the phone's side) or the agent has (settle), both sides must be as the scene's lines say.
"""

import dataclasses
import typing

import crashrig
import ledger
from email_ledger import EmailLine
from ledger import FLAGGED, SEEN
from mailrig import free_port


@dataclasses.dataclass
class Program:
    command: tuple
    # What the line is told when the command has been done: (scene, its output).
    done: typing.Callable = lambda scene, output: None
    once_only: bool = False  # an agent does not do it soon after its start

    @property
    def is_agent(self):
        return self.command[0] == "vmemaild"


AGENT = Program(("vmemaild", "--once"))


def on_phone(name, what, identity, *arguments):
    """`vmctl message WHAT`, to be killed."""
    return Program(
        ("vmctl", "message", what, identity, *arguments),
        lambda scene, _: scene.lines[name].phoned(what, identity, *arguments),
    )


def hurry(unit):
    """What makes a person who does not want to wait: the pause of an uncertain delivery ends."""
    unit.ctl("queue", "retry")
    unit.once(status=None)


def hurry_agent(unit):
    """The same where an agent runs."""
    unit.ctl("queue", "retry")
    unit.ctl("sync", status=None)


# ---- an account of IMAP ------------------------------------------------------------------------------
def imap_scene(rig, users):
    """Two mailboxes: a over TLS; b, where what is deleted on the phone goes to Trash, and whose mails have
    transcripts."""
    unit = crashrig.CrashUnit()
    scene = crashrig.Scene(unit, {})
    unit.config("misc", "set", "g_szMessageWaitingCommand", "/bin/true")
    unit.config("misc", "set", "g_szTranscriptCommand", "/bin/echo")
    for name, number, security, options in (
        ("a", "101", "starttls", {}),
        ("b", "102", "relay", {"Imap4_Delete_Mode": "Trash", "Transcript": "Yes"}),
    ):
        user = next(users)
        unit.mailbox(number, rig, user, security, **ledger.account(rig, user, "Imap4", "imaps"), **options)
        scene.lines[name] = ledger.Line(unit, rig, number, user, trash=bool(options))
        scene.lines[name].foreign("INBOX", 2, "T")
    return scene


def configure(scene):
    """The old options are in force, or the new ones."""
    return Program(("vmconfig", "mailbox", "set", "102", "Smtp Password=secret", "Language=en"))


def add(scene):
    """The store does not exist yet."""

    def done(its_scene, output):
        if output.strip():
            its_scene.lines["a"].added(output.strip())

    return Program(("vmctl", *scene.lines["a"].arguments_to_add()), done)


def push(scene):
    scene.a = [*scene.lines["a"].wanted] + [scene.lines["a"].add() for _ in range(5)]
    scene.b = [scene.lines["b"].add() for _ in range(3)]
    return AGENT


def link(scene):
    """Mails have come, and others between."""
    scene.a += [scene.lines["a"].add()]
    scene.unit.once("--mailbox", "101")
    scene.lines["a"].rig.drain()
    scene.lines["a"].foreign("INBOX", 2, "ST", first=2)
    return AGENT


def mark(scene):
    return on_phone("a", "mark", scene.a[0], "--read")


def urgent(scene):
    return on_phone("a", "urgent", scene.a[0], "--set")


def move(scene):
    return on_phone("a", "move", scene.a[1], "--folder", "Family")


def delete(scene):
    return on_phone("a", "delete", scene.a[2])


def phone_to_account(scene):
    a, b = scene.lines["a"], scene.lines["b"]
    a.phone("mark", scene.a[1], "--read")
    a.phone("move", scene.a[3], "--folder", "Archive/2026")
    a.phone("delete", scene.a[4])
    b.phone("delete", scene.b[0])
    b.phone("urgent", scene.b[1], "--set")
    return AGENT


def account_to_phone(scene):
    a, b = scene.lines["a"], scene.lines["b"]
    a.subscriber("flag", scene.a[1], FLAGGED)
    a.subscriber("unflag", scene.a[0], SEEN)
    a.subscriber("move", scene.a[0], "Work")
    a.subscriber("expunge", scene.a[5])
    b.subscriber("trash", scene.b[1])
    b.subscriber("flag", scene.b[2], SEEN)
    a.foreign("INBOX", 2, "F", first=4)
    a.foreign("Work", 1, "T")
    return AGENT


def restore(scene):
    return on_phone("a", "restore", scene.a[2])


def restored(scene):
    """One is sent again, one comes back from Trash, by the phone or by the account."""
    a, b = scene.lines["a"], scene.lines["b"]
    a.phone("restore", scene.a[5])
    b.phone("restore", scene.b[0])
    b.subscriber("untrash", scene.b[1])
    scene.a += [a.add(), a.add()]
    return AGENT


def retry(scene):
    """A server was down."""
    a, unit = scene.lines["a"], scene.unit
    port = a.rig.ports["starttls"]
    unit.set("101", Smtp_Port=free_port())
    scene.a += [a.add()]
    unit.once(status=None)
    unit.set("101", Smtp_Port=port)
    return Program(("vmctl", "queue", "retry"))


def uncertain(scene):
    """The agent died twice after the final dot. One mail has arrived, of the other nothing is known."""
    a, unit = scene.lines["a"], scene.unit
    scene.a += [a.add(), a.add()]
    for _ in range(2):
        killed = crashrig.Run(unit)
        killed.run(killed.environment_to_die("sent dot", 1), *AGENT.command)
        a.rig.drain()
    unit.ctl("queue", "retry")
    return AGENT


def release(scene):
    """More vanished than may at once."""
    b, unit = scene.lines["b"], scene.unit
    unit.config("misc", "set", "g_nMassDeletionLimit", "1")
    for identity in scene.b:
        b.subscriber("expunge", identity)
    unit.once(status=None)
    return Program(("vmctl", "release", "102"))


def purge(scene):
    a, unit = scene.lines["a"], scene.unit
    a.phone("delete", scene.a[6])
    scene.in_step(hurry, at_least_once=True)
    unit.set("101", Deleted_Retention_Days="0")
    a.purge()
    return dataclasses.replace(AGENT, once_only=True)


IMAP = (add, configure, push, link, mark, urgent, move, delete, phone_to_account, account_to_phone, restore, restored, retry)
IMAP += (uncertain, release, purge)


# ---- a maildrop ----------------------------------------------------------------------------------------
def pop3_scene(rig, users):
    unit = crashrig.CrashUnit("libsmtppop3.so")
    user = next(users)
    unit.mailbox("101", rig, user, **ledger.account(rig, user, "Pop3", "pop3s"))
    line = ledger.Line(unit, rig, "101", user, pop3=True)
    line.foreign("INBOX", 3)
    scene = crashrig.Scene(unit, {"a": line})
    scene.a = [line.add() for _ in range(5)]
    return scene


def push_to_drop(scene):
    return AGENT


def first_visit(scene):
    """Nothing is known of what lies in the drop."""
    line = scene.lines["a"]
    line.phone("delete", scene.a[1])
    line.phone("delete", scene.a[2])
    return AGENT


def second_visit(scene):
    """Some unique-ids are known; one mail has been fetched and removed by the subscriber's program."""
    line = scene.lines["a"]
    line.mail.expunge("INBOX", scene.a[0])
    line.phone("delete", scene.a[0])
    line.phone("delete", scene.a[3])
    line.foreign("INBOX", 1, first=3)
    return AGENT


POP3 = (push_to_drop, first_visit, second_visit)


# ---- e-mails at the phone ------------------------------------------------------------------------------
def email_scene(rig, users, pop3=False):
    unit = crashrig.CrashUnit("libsmtppop3.so" if pop3 else "libsmtpimap4.so")
    unit.config("misc", "set", "g_bUseTTS", "True")
    user = next(users)
    unit.mailbox("101", rig, user, **ledger.account(rig, user, *(("Pop3", "pop3s") if pop3 else ("Imap4", "imaps"))))
    line = EmailLine(unit, rig, "101", user, pop3=pop3)
    line.come(1)
    scene = crashrig.Scene(unit, {"a": line})
    scene.a = [line.add()]
    return scene


def email_drop_scene(rig, users):
    return email_scene(rig, users, pop3=True)


def mails_are_there(scene):
    return AGENT


def mails_come(scene):
    scene.lines["a"].come(3)
    return AGENT


def hear_mail(scene):
    line = scene.lines["a"]
    return Program(
        ("vmctl", "message", "mark", line.identity(0), "--read"), lambda its_scene, _: its_scene.lines["a"].heard(0)
    )


def mails_change(scene):
    """On both sides, and one more has come."""
    line, unit = scene.lines["a"], scene.unit
    line.come(1)
    unit.ctl("message", "delete", line.identity(1))
    line.deleted(1)
    if not line.pop3:
        line.seen(2)
        line.expunged(3)
    return AGENT


EMAIL = (mails_are_there, mails_come, hear_mail, mails_change)
