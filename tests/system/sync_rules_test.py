#!/usr/bin/env python3
"""What happens to a message on the phone happens to its mail, and the other way round: every rule, from
both ends, in each of the sync modes."""

import synctest
import vmunit
from mailclient import MailClientError
from synctest import VM_FOLDER

READ, URGENT = r"\Seen", r"\Flagged"
DELETED = r"\Deleted"


def setUpModule():
    synctest.TestCase.rig = synctest.start()


def tearDownModule():
    synctest.TestCase.rig.stop()


class Rules:
    """The rules that hold in every mode that synchronises. `mode`; `home`: where the mails lie;
    `outside`: a folder that is not looked at."""

    def account(self, count, **options):
        box = self.box(self.mode, **options)
        return box, *box.deliver(count)

    def foreign(self, box):
        """Somebody else's mail beside ours, some of it with \\Deleted; checked when the test ends."""
        for name, *flags in (("plain",), ("marked", DELETED), ("read and marked", READ, DELETED)):
            box.mail.append(self.home, name, *flags)

        def state():
            return [(mail.uid, mail.flags) for mail in box.mail.mails(self.home) if not mail.id]

        before = state()
        return lambda: self.assertEqual(before, state(), "foreign mail was touched")

    # ---- the phone -> the mail --------------------------------------------------------------------
    def test_heard_and_urgent_on_the_phone(self):
        box, a, b, c = self.account(3)
        untouched = self.foreign(box)
        box.phone("mark", a, "--read")
        box.phone("urgent", b, "--set")
        box.sync()
        box.check({
            a: ("read", f"{self.home} {READ}"),
            b: ("new urgent", f"{self.home} {URGENT}"),
            c: ("new", self.home),
        })  # fmt: skip
        box.phone("mark", a, "--new")
        box.phone("urgent", b, "--clear")
        box.phone("mark", c, "--read")
        box.phone("urgent", c, "--set")
        box.sync()
        box.check({
            a: ("new", self.home),
            b: ("new", self.home),
            c: ("read urgent", f"{self.home} {URGENT} {READ}"),
        })  # fmt: skip
        untouched()

    def test_heard_before_the_mail_arrived(self):
        box = self.box(self.mode)
        a, b = box.add(), box.add("--urgent")
        box.push()
        box.phone("mark", a, "--read")
        box.arrive(a, b)
        box.sync()
        box.check({a: ("read", f"{self.home} {READ}"), b: ("new urgent", f"{self.home} {URGENT}")})

    def test_deleted_on_the_phone(self):
        box, a, b, c = self.account(3)
        untouched = self.foreign(box)
        box.phone("delete", a)
        box.phone("mark", b, "--read")
        box.phone("delete", b)
        box.sync()
        expected = {a: ("deleted", ""), b: ("deleted", ""), c: ("new", self.home)}
        box.check(expected)
        box.sync()
        box.check(expected)
        untouched()

    def test_deleted_before_the_mail_arrived(self):
        box = self.box(self.mode)
        a, b = box.add(), box.add()
        box.push()
        box.phone("delete", a)
        box.mail.select("INBOX")
        if self.home != "INBOX":
            box.sync()
            for identity in (a, b):
                box.mail.move("INBOX", identity, self.home)
        box.sync()
        box.sync()
        box.check({a: ("deleted", ""), b: ("new", self.home)})

    def test_deleted_on_the_phone_into_the_trash_and_restored(self):
        box, a, b, c = self.account(3, Imap4_Delete_Mode="Trash")
        untouched = self.foreign(box)
        box.phone("mark", a, "--read")
        box.sync()
        for identity in (a, b):
            box.phone("delete", identity)
        box.sync()
        box.check({a: ("deleted", f"Trash {READ}"), b: ("deleted", "Trash"), c: ("new", self.home)})
        box.phone("restore", a)
        box.sync()
        box.sync()
        box.check({a: ("read", f"{self.home} {READ}"), b: ("deleted", "Trash"), c: ("new", self.home)})
        untouched()

    def test_restored_on_the_phone_and_gone_from_the_account(self):
        box, a, b = self.account(2)
        box.phone("delete", a)
        box.sync()
        box.check({a: ("deleted", ""), b: ("new", self.home)})
        box.phone("restore", a)
        box.sync(status=None)  # it may be left to be sent
        box.push()
        box.arrive(a)
        box.check({a: ("new", self.home), b: ("new", self.home)})
        box.push()
        box.check({a: ("new", self.home), b: ("new", self.home)})

    def test_a_pass_that_has_to_send_again_says_how_it_ended(self):
        box, a = self.account(1)
        box.phone("delete", a)
        box.sync()
        box.phone("restore", a)
        done = box.sync(status=None)
        if done.returncode != 0:
            self.assertEqual((75, 1), (done.returncode, len(done.stderr.strip().splitlines())), done)

    def test_restored_before_the_deletion_went_out(self):
        box, a = self.account(1)
        box.phone("delete", a)
        box.phone("restore", a)
        box.sync()
        box.check({a: ("new", self.home)})

    # ---- the mail -> the phone --------------------------------------------------------------------
    def test_seen_and_flagged_in_the_mail(self):
        box, a, b, c = self.account(3)
        box.mail.add_flags(self.home, a, READ)
        box.mail.add_flags(self.home, b, URGENT)
        box.sync()
        box.check({
            a: ("read", f"{self.home} {READ}"),
            b: ("new urgent", f"{self.home} {URGENT}"),
            c: ("new", self.home),
        })  # fmt: skip
        box.mail.clear_flags(self.home, a, READ)
        box.mail.clear_flags(self.home, b, URGENT)
        box.mail.add_flags(self.home, c, READ, URGENT, r"\Answered")
        box.sync()
        box.check({
            a: ("new", self.home),
            b: ("new", self.home),
            c: ("read urgent", rf"{self.home} \Answered {URGENT} {READ}"),
        })  # fmt: skip

    def test_deleted_in_the_mail_in_every_way_and_back(self):
        box, expunged, marked, trashed, moved, kept = self.account(5)
        untouched = self.foreign(box)
        box.mail.add_flags(self.home, trashed, READ)
        box.sync()
        if self.outside not in box.mail.folders():
            box.mail.create(self.outside)
        box.mail.expunge(self.home, expunged)
        box.mail.add_flags(self.home, marked, DELETED)
        box.mail.move(self.home, trashed, "Trash")
        box.mail.move(self.home, moved, self.outside)
        box.sync()
        expected = {
            expunged: ("deleted", ""),
            marked: ("deleted", f"{self.home} {DELETED}"),
            trashed: ("deleted", f"Trash {READ}"),
            moved: ("deleted", self.outside),
            kept: ("new", self.home),
        }
        box.check(expected)
        box.sync()
        box.check(expected)
        for identity in expected:  # no mail action ever deletes for good on the unit
            box.phone("export", identity, "--as", "media", "--output", self.files / identity)
        box.mail.clear_flags(self.home, marked, DELETED)
        box.mail.move("Trash", trashed, self.home)
        box.mail.move(self.outside, moved, self.home)
        box.sync()
        box.check({
            expunged: ("deleted", ""),
            marked: ("new", self.home),
            trashed: ("read", f"{self.home} {READ}"),
            moved: ("new", self.home),
            kept: ("new", self.home),
        })  # fmt: skip
        untouched()

    def test_deleted_in_the_mail_and_restored_on_the_phone(self):
        box, expunged, marked, trashed = self.account(3)
        box.mail.expunge(self.home, expunged)
        box.mail.add_flags(self.home, marked, DELETED)
        box.mail.move(self.home, trashed, "Trash")
        box.sync()
        for identity in (expunged, marked, trashed):
            box.phone("restore", identity)
        box.sync(status=None)  # one may be left to be sent
        box.push()
        box.arrive(expunged)
        expected = {identity: ("new", self.home) for identity in (expunged, marked, trashed)}
        box.check(expected)
        box.sync()
        box.check(expected)

    # ---- both -----------------------------------------------------------------------------------
    def test_both_sides_changed(self):
        box, both, read, gone, lost, agreed = self.account(5)
        box.mail.add_flags(self.home, agreed, READ)
        box.sync()
        box.phone("mark", both, "--read")
        box.mail.add_flags(self.home, both, URGENT)
        box.phone("mark", read, "--read")
        box.mail.add_flags(self.home, read, READ)
        box.phone("delete", gone)
        box.mail.add_flags(self.home, gone, READ, URGENT)
        box.phone("urgent", lost, "--set")
        box.mail.expunge(self.home, lost)
        box.phone("mark", agreed, "--new")
        box.mail.add_flags(self.home, agreed, URGENT)
        box.sync()
        box.sync()
        box.check({
            both: ("read urgent", f"{self.home} {URGENT} {READ}"),
            read: ("read", f"{self.home} {READ}"),
            gone: ("deleted", ""),
            lost: ("deleted urgent", ""),
            agreed: ("new urgent", f"{self.home} {URGENT}"),
        })  # fmt: skip

    def test_of_two_copies_one_is_linked_and_the_other_left_alone(self):
        box, a, b = self.account(2)
        for identity in (a, b):
            box.mail.append(self.home, box.mail.raw(self.home, identity))
        [first, second] = [[m.uid for m in box.mail.mails(self.home) if m.id == i] for i in (a, b)]
        box.sync()
        for identity, uids in ((a, first), (b, second)):
            self.assertEqual(uids[0], box.link(identity)["uid"])
            self.assertIn("second copy", box.unit.ctl("message", "history", identity).stdout + box.unit.trace())
        box.phone("mark", a, "--read")
        box.phone("delete", b)
        box.sync()
        box.sync()
        left = {mail.uid: mail.flags for mail in box.mail.mails(self.home)}
        self.assertEqual({first[0]: {READ}, first[1]: set(), second[1]: set()}, left)
        self.assertEqual(("read", "deleted"), (box.messages()[a]["state"], box.messages()[b]["state"]))

    def test_nothing_happened(self):
        box, a, b = self.account(2)
        box.phone("mark", a, "--read")
        box.sync()
        box.sync()
        before = (box.messages(), box.mail.imap.status(box.mail.server_name(self.home), "(HIGHESTMODSEQ)"))
        box.sync()
        box.push()
        after = (box.messages(), box.mail.imap.status(box.mail.server_name(self.home), "(HIGHESTMODSEQ)"))
        self.assertEqual(before, after)


class InboxOnlyTest(Rules, synctest.TestCase):
    mode, home, outside = "Inbox Only", "INBOX", "Archive"

    def test_folders_of_the_phone_are_its_own(self):
        box, a = self.account(1)
        box.phone("move", a, "--folder", "Customers")
        box.sync()
        box.check({a: ("new in Customers", "INBOX")})
        box.mail.add_flags("INBOX", a, READ)
        box.sync()
        box.check({a: ("read in Customers", f"INBOX {READ}")})
        self.assertNotIn("Customers", box.mail.folders())
        self.assertNotIn(VM_FOLDER, box.mail.folders())


class VmFolderOnlyTest(Rules, synctest.TestCase):
    mode, home, outside = "VM Folder Only", VM_FOLDER, "INBOX"

    def test_the_folder_is_made_and_what_is_not_in_it_is_let_be(self):
        box = self.box(self.mode)
        a = box.add()
        box.push()
        box.sync()
        self.assertIn(VM_FOLDER, box.mail.folders())
        self.assertIn(VM_FOLDER, " ".join(box.mail.subscribed()))
        box.mail.add_flags("INBOX", a, READ)
        box.sync()
        box.check({a: ("new", f"INBOX {READ}")})
        self.assertIsNone(box.link(a))
        box.mail.move("INBOX", a, VM_FOLDER)
        box.sync()
        box.check({a: ("read", f"{VM_FOLDER} {READ}")})

    def test_the_folder_is_made_again(self):
        box, a, b = self.account(2)
        mails = [box.mail.raw(self.home, identity) for identity in (a, b)]
        box.mail.delete_folder(self.home)
        box.sync(status=None)
        self.assertEqual(["new", "new"], [box.messages()[i]["state"] for i in (a, b)])
        if self.home not in box.mail.folders():
            box.mail.create(self.home)
        for mail in mails:
            box.mail.append(self.home, mail)
        box.sync(status=None)
        self.assertEqual(["new", "new"], [box.messages()[i]["state"] for i in (a, b)])
        self.assertEqual(2, len(box.mail.ids(self.home)))


class AllFoldersTest(Rules, synctest.TestCase):
    mode, home, outside = "All Folders", "INBOX", "Junk"
    names = (
        "with space", 'double "quote"', r"back\slash", "R&D", "&", "Grüße/Übung", "Ümläut & Söhne", "日本語",
        "(paren)", "{3}", "it's", "#sharp", "100% *star*", "a/b/c", "-", "&AOQ-", "sent again",
    )  # fmt: skip

    def test_moved_on_the_phone_to_where_no_mail_can_be(self):
        """Trash is out of sight, and "a//b" is no name for Dovecot: the moves are taken back and said, and
        keep nothing else from the account."""
        box = self.box()
        trash, refused, good, gone = box.deliver(4)
        box.phone("move", trash, "--folder", "Trash")
        box.phone("move", refused, "--folder", "a//b")
        box.phone("move", good, "--folder", "Kept")
        box.phone("delete", gone)
        box.sync(status=None)
        box.sync()
        box.check({
            trash: ("new", "INBOX"),
            refused: ("new", "INBOX"),
            good: ("new in Kept", "Kept"),
            gone: ("deleted", ""),
        })  # fmt: skip
        self.assertEqual("ok", box.status()["state"])
        history = box.unit.ctl("message", "history", trash).stdout
        self.assertIn("folder Trash is for deleted, junk, draft or sent mail", history)

    def test_moved_on_the_phone(self):
        box, a, b, c = self.account(3)
        box.mail.add_flags("INBOX", b, READ)
        box.sync()
        box.phone("move", a, "--folder", "Work")
        box.phone("move", b, "--folder", "Work/2024")
        box.sync()
        box.check({
            a: ("new in Work", "Work"),
            b: ("read in Work/2024", f"Work/2024 {READ}"),
            c: ("new", "INBOX"),
        })  # fmt: skip
        self.assertEqual("Work/2024", box.link(b)["folder"])
        box.phone("move", a, "--folder", "INBOX")
        box.phone("move", b, "--folder", "Work")
        box.phone("mark", b, "--new")
        box.sync()
        box.sync()
        box.check({a: ("new", "INBOX"), b: ("new in Work", "Work"), c: ("new", "INBOX")})

    def test_moved_in_the_mail(self):
        box, a, b = self.account(2)
        for folder in ("Work", "Work/2024"):
            box.mail.create(folder)
        box.mail.move("INBOX", a, "Work/2024")
        box.sync()
        box.check({a: ("new in Work/2024", "Work/2024"), b: ("new", "INBOX")})
        self.assertEqual("Work/2024", box.link(a)["folder"])
        box.mail.add_flags("Work/2024", a, URGENT)
        box.mail.move("Work/2024", a, "Work")
        box.sync()
        box.check({a: ("new urgent in Work", f"Work {URGENT}"), b: ("new", "INBOX")})
        box.mail.move("Work", a, "INBOX")
        box.sync()
        box.check({a: ("new urgent", f"INBOX {URGENT}"), b: ("new", "INBOX")})

    def test_moved_on_both_sides(self):
        box, a, b = self.account(2)
        for folder in ("Phone", "Mail"):
            box.mail.create(folder)
        box.phone("move", a, "--folder", "Phone")
        box.mail.move("INBOX", a, "Mail")
        box.phone("delete", b)
        box.mail.move("INBOX", b, "Mail")
        box.sync()
        box.sync()
        box.check({a: ("new in Phone", "Phone"), b: ("deleted", "")})

    def test_deleted_in_a_folder_and_restored_there(self):
        box, a, b = self.account(2, Imap4_Delete_Mode="Trash")
        for identity in (a, b):
            box.phone("move", identity, "--folder", "Work")
        box.sync()
        box.phone("delete", a)
        box.mail.move("Work", b, "Trash")
        box.sync()
        box.check({a: ("deleted in Work", "Trash"), b: ("deleted in Work", "Trash")})
        box.phone("restore", a)
        box.mail.move("Trash", b, "INBOX")
        box.sync()
        box.sync()
        box.check({a: ("new in Work", "Work"), b: ("new", "INBOX")})

    def test_a_folder_is_renamed(self):
        box, a, b = self.account(2)
        box.phone("move", a, "--folder", "Work/Old")
        box.sync()
        box.mail.rename("Work", "Jobs")
        box.sync()
        box.check({a: ("new in Jobs/Old", "Jobs/Old"), b: ("new", "INBOX")})
        box.mail.add_flags("Jobs/Old", a, READ)
        box.sync()
        box.check({a: ("read in Jobs/Old", f"Jobs/Old {READ}"), b: ("new", "INBOX")})

    def test_a_folder_is_deleted_and_made_again(self):
        box, a, b, c = self.account(3)
        box.phone("move", a, "--folder", "Work")
        box.sync()
        raw = box.mail.raw("Work", a)
        box.mail.delete_folder("Work")
        box.sync()
        self.assertEqual("new", box.messages()[a]["state"], "a folder's end is no deletion")
        self.assertIsNone(box.link(a))
        box.push()
        box.check({a: ("new in Work", ""), b: ("new", "INBOX"), c: ("new", "INBOX")})
        box.mail.create("Work")
        box.mail.append("Work", raw, URGENT)
        box.sync()
        box.sync()
        box.check({a: ("new urgent in Work", f"Work {URGENT}"), b: ("new", "INBOX"), c: ("new", "INBOX")})

    def test_a_folder_is_another_one_by_the_same_name(self):
        box, a, b, c = self.account(3)
        box.phone("move", a, "--folder", "Work")
        box.sync()
        raw = box.mail.raw("Work", a)
        box.mail.delete_folder("Work")
        box.mail.create("Work")
        box.mail.append("Work", "not of the unit")
        box.mail.append("Work", raw, READ)
        box.sync()
        box.sync()
        box.check({a: ("read in Work", f"Work {READ}"), b: ("new", "INBOX"), c: ("new", "INBOX")})
        box.phone("delete", a)
        box.sync()
        self.assertEqual([None], [mail.id for mail in box.mail.mails("Work")])

    def test_folder_names_from_the_phone(self):
        box, *identities = self.account(len(self.names))
        for identity, name in zip(identities, self.names):
            box.phone("move", identity, "--folder", name)
        box.sync()
        box.check({i: (f"new in {name}", name) for i, name in zip(identities, self.names)})
        for identity in identities:
            box.phone("move", identity, "--folder", "INBOX")
        box.sync()
        box.sync()
        box.check({identity: ("new", "INBOX") for identity in identities})

    def test_folder_names_from_the_mail(self):
        box, *identities = self.account(len(self.names))
        for identity, name in zip(identities, self.names):
            box.mail.create(name)
            box.mail.move("INBOX", identity, name)
        box.sync()
        box.check({i: (f"new in {name}", name) for i, name in zip(identities, self.names)})
        box.phone("mark", identities[1], "--read")
        box.phone("delete", identities[2])
        box.sync()
        box.check({
            identities[1]: (f"read in {self.names[1]}", f"{self.names[1]} {READ}"),
            identities[2]: (f"deleted in {self.names[2]}", ""),
        })  # fmt: skip

    def test_a_folder_name_that_the_server_refuses(self):
        box, a, b = self.account(2)
        box.phone("move", a, "--folder", "~home")  # Dovecot's words: Begins with '~'
        box.phone("mark", a, "--read")
        box.phone("mark", b, "--read")
        for _ in range(2):
            box.sync(status=None)
        self.assertEqual({a: f"INBOX {READ}", b: f"INBOX {READ}"}, box.account())
        self.assertEqual(["read", "read"], [box.messages()[i]["state"] for i in (a, b)])
        box.phone("move", a, "--folder", "Work")
        box.sync()
        self.assertEqual(f"Work {READ}", box.account()[a])

    def test_a_name_that_differs_in_case_only(self):
        box, a, b = self.account(2)
        box.mail.create("work")
        box.phone("move", a, "--folder", "Work")
        try:
            box.mail.create("inbox/below")
            box.mail.move("INBOX", b, "inbox/below")
        except MailClientError:
            pass  # not every server has folders below INBOX
        box.sync()
        self.assertEqual("Work", box.account()[a])
        self.assertNotEqual("deleted", box.messages()[b]["state"])


class NoneTest(synctest.TestCase):
    def test_only_the_way_there(self):
        box = self.box("None")
        a, b, c, d = (box.add() for _ in range(4))
        box.push()
        box.phone("mark", a, "--read")
        box.phone("delete", b)
        box.mail.add_flags("INBOX", c, READ)
        box.mail.expunge("INBOX", d)
        folders = box.mail.folders()
        box.sync(status=None)
        box.push()
        box.check({a: ("read", "INBOX"), b: ("deleted", "INBOX"), c: ("new", f"INBOX {READ}"), d: ("new", "")})
        self.assertEqual(folders, box.mail.folders())
        self.assertEqual([None] * 4, [message["link"] for message in box.messages().values()])


if __name__ == "__main__":
    vmunit.main()
