#!/usr/bin/env python3
"""The whole life of a message on servers that lack this or that, on another make of server, and with a
subscriber whose mail program is a real one."""

import synctest
import vmunit
from cyrus import Cyrus
from mbsync import Mbsync

READ, URGENT, DELETED = r"\Seen", r"\Flagged", r"\Deleted"


class Life:
    """Uses every rule once, without assuming more of the server than IMAP4rev1."""

    def live(self, **options):
        box = self.box(**options)
        a, b, c, d = box.deliver(4)
        box.phone("mark", a, "--read")
        box.phone("urgent", b, "--set")
        box.mail.add_flags("INBOX", c, READ, URGENT)
        box.sync()
        box.check({
            a: ("read", f"INBOX {READ}"),
            b: ("new urgent", f"INBOX {URGENT}"),
            c: ("read urgent", f"INBOX {URGENT} {READ}"),
            d: ("new", "INBOX"),
        })  # fmt: skip
        # Folders.
        box.phone("move", a, "--folder", "Work/Äpfel")
        box.mail.create("Privat")
        box.mail.move("INBOX", b, "Privat")
        box.mail.clear_flags("INBOX", c, READ)
        box.sync()
        box.sync()
        self.assertEqual("read in Work/Äpfel", self.words(box, a))
        self.assertEqual([f"Work/Äpfel {READ}"], self.alive(box, a))
        self.assertEqual(("new urgent in Privat", [f"Privat {URGENT}"]), (self.words(box, b), self.alive(box, b)))
        self.assertEqual("new urgent", self.words(box, c))
        # Deletions, beside a mail of somebody else's that is only marked. (Not before: on a server
        # without UIDPLUS our mail client's moves would have expunged it.)
        box.mail.append("INBOX", "marked by somebody", DELETED)
        box.phone("delete", a)
        box.phone("delete", d)
        box.mail.expunge("Privat", b)
        box.mail.add_flags("INBOX", c, DELETED)
        box.sync()
        box.sync()
        self.assertEqual(["deleted"] * 4, [self.words(box, i).split()[0] for i in (a, b, c, d)])
        self.assertEqual([[], [], [], []], [self.alive(box, i) for i in (a, b, c, d)])
        # And back.
        box.mail.clear_flags("INBOX", c, DELETED)
        box.phone("restore", d)
        box.sync(status=None)  # it may be left to be sent
        box.push()
        box.sync()
        box.sync()
        self.assertEqual("new urgent", self.words(box, c))
        self.assertEqual([f"INBOX {URGENT}"], self.alive(box, c))
        self.assertEqual(("new", ["INBOX"]), (self.words(box, d), self.alive(box, d)))
        self.assertIsNotNone(box.link(d))
        self.assertEqual([{DELETED}], [m.flags for m in box.mail.mails() if not m.id], "foreign mail was touched")
        return box

    @staticmethod
    def words(box, identity):
        return box.describe(box.messages()[identity])

    @staticmethod
    def alive(box, identity):
        """Where its mail is to be seen: not in the trash, and not only waiting to be expunged."""
        places = [p for p in box.account().get(identity, "").split(" + ") if p]
        return [place for place in places if DELETED not in place and not place.startswith("Trash")]


class VariantsTest(Life, synctest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = synctest.start()
        cls.addClassCleanup(cls.rig.stop)
        super().setUpClass()

    def without(self, *capabilities, **variant):
        self.rig.vary(without=capabilities, **variant)
        box = self.live()
        status = box.status()
        for name in ("condstore", "qresync"):
            self.assertEqual(name.upper() not in capabilities, status[name], f"{name} in the status")
        self.assertFalse(status["idle"], "nobody waits")
        self.assertEqual("ok", status["state"])

    def test_all_it_can_do(self):
        self.without()

    def test_without_qresync(self):
        self.without("QRESYNC")

    def test_without_qresync_and_condstore(self):
        self.without("QRESYNC", "CONDSTORE")

    def test_without_move(self):
        self.without("MOVE")

    def test_without_uidplus(self):
        self.without("UIDPLUS")

    def test_without_move_and_uidplus(self):
        self.without("MOVE", "UIDPLUS")

    def test_without_idle(self):
        self.without("IDLE")

    def test_without_list_status(self):
        self.without("LIST-STATUS")

    def test_without_special_use(self):
        self.without("SPECIAL-USE")

    def test_without_namespace_and_notify(self):
        self.without("NAMESPACE", "NOTIFY")

    def test_with_next_to_nothing(self):
        self.without(
            *"QRESYNC CONDSTORE MOVE UIDPLUS IDLE LIST-STATUS LIST-EXTENDED SPECIAL-USE NAMESPACE NOTIFY ESEARCH "
            "SEARCHRES CONTEXT=SEARCH LITERAL+ SASL-IR ENABLE ID UNSELECT CHILDREN".split()
        )

    def test_below_inbox(self):
        self.without(prefix="INBOX.")

    def test_slashes(self):
        self.without(separator="/")

    def test_no_trash_yet(self):
        """Where the server has none the unit makes one."""
        self.rig.vary(special=False)
        box = self.box(Imap4_Delete_Mode="Trash")
        a, b = box.deliver(2)
        before = set(box.mail.folders())
        box.phone("delete", a)
        box.sync()
        self.assertEqual(("deleted", []), (self.words(box, a), self.alive(box, a)))
        [trash] = set(box.mail.folders()) - before
        self.assertEqual([a], list(box.mail.ids(trash)))
        box.phone("restore", a)
        box.sync()
        box.sync()
        box.check({a: ("new", "INBOX"), b: ("new", "INBOX")})


class CyrusTest(Life, synctest.TestCase):
    make = Cyrus

    @classmethod
    def setUpClass(cls):
        cls.rig = synctest.start(cls.make())
        cls.addClassCleanup(cls.rig.stop)
        super().setUpClass()

    def test_life(self):
        box = self.live()
        self.assertEqual([True] * 2, [box.status()[name] for name in ("condstore", "qresync")])

    def test_life_with_trash(self):
        self.live(Imap4_Delete_Mode="Trash")

    def test_in_the_voice_mail_folder(self):
        box = self.box("VM Folder Only")
        a, b, c = box.deliver(3)
        box.phone("mark", a, "--read")
        box.phone("delete", b)
        box.mail.expunge(box.home, c)
        box.sync()
        box.check({a: ("read", f"{box.home} {READ}"), b: ("deleted", ""), c: ("deleted", "")})


class ClassicCyrusTest(CyrusTest):
    make = staticmethod(lambda: Cyrus(classic=True))

    def test_a_folder_name_that_it_refuses(self):
        box = self.box()
        a, b = box.deliver(2)
        box.phone("move", a, "--folder", 'a "quoted" name')
        box.phone("mark", b, "--read")
        for _ in range(2):
            box.sync(status=None)
        self.assertEqual({a: "INBOX", b: f"INBOX {READ}"}, box.account())
        self.assertEqual("new", box.messages()[a]["state"])


class RealClientTest(synctest.TestCase):
    """mbsync: flags by STORE, deletion by \\Deleted and expunge, a move as APPEND and deletion."""

    @classmethod
    def setUpClass(cls):
        cls.rig = synctest.start()
        cls.addClassCleanup(cls.rig.stop)
        super().setUpClass()

    def test_what_the_subscriber_does_there(self):
        box = self.box()
        a, b, c, d = box.deliver(4)
        program = Mbsync(self.rig, box.user, self.files / "mbsync")
        program.sync()
        program.set_flags(a, "FS")
        program.remove(b)
        program.move(c, "Archive")
        program.set_flags(d, "T")
        program.sync()
        box.sync()
        box.sync()
        messages = box.messages()
        self.assertEqual(["read urgent", "deleted", "new in Archive", "deleted"],
                         [box.describe(messages[i]) for i in (a, b, c, d)])  # fmt: skip
        # It gives a mail that it moved another flag, and moves it back.
        program.set_flags(c, "S")
        program.set_flags(a, "")
        program.sync()
        box.sync()
        self.assertEqual("read in Archive", box.describe(box.messages()[c]))
        program.move(c, "INBOX")
        program.sync()
        box.sync()
        box.sync()
        box.check({a: ("new", "INBOX"), b: ("deleted", ""), c: ("read", f"INBOX {READ}"), d: ("deleted", "")})

    def test_what_happens_on_the_phone(self):
        box = self.box()
        a, b, c = box.deliver(3)
        program = Mbsync(self.rig, box.user, self.files / "mbsync")
        program.sync()
        box.phone("mark", a, "--read")
        box.phone("urgent", a, "--set")
        box.phone("delete", b)
        box.phone("move", c, "--folder", "Work")
        box.sync()
        program.sync()
        self.assertEqual({a: "INBOX", c: "Work"}, {i: program.folder(i) for i in program.files()})
        self.assertEqual({"F", "S"}, program.flags(a))

    def test_both_between_two_of_its_runs(self):
        box = self.box()
        a, b, c = box.deliver(3)
        program = Mbsync(self.rig, box.user, self.files / "mbsync")
        program.sync()
        for identity, flags in ((a, "S"), (b, "F")):
            program.set_flags(identity, flags)
        program.remove(c)
        box.phone("urgent", a, "--set")
        box.phone("delete", b)
        box.phone("mark", c, "--read")
        for _ in range(2):
            box.sync()
            program.sync()
        box.sync()
        box.check({
            a: ("read urgent", f"INBOX {URGENT} {READ}"),
            b: ("deleted", ""),
            c: ("deleted", ""),
        })  # fmt: skip
        self.assertEqual({a}, set(program.files()))


if __name__ == "__main__":
    vmunit.main()
