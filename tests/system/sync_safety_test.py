#!/usr/bin/env python3
"""What must not be taken for a deletion, and what is not the unit's to touch: accounts that were
replaced, emptied or out of reach, masses, switches turned off and on, mail of others."""

import json
import re
import sqlite3

import synctest
import vmunit

READ, URGENT, DELETED = r"\Seen", r"\Flagged", r"\Deleted"
DAY_MS = 24 * 3600 * 1000


def setUpModule():
    synctest.TestCase.rig = synctest.start()


def tearDownModule():
    synctest.TestCase.rig.stop()


class IdentityTest(synctest.TestCase):
    """UIDs are what a server makes of them; a message is its identity."""

    def test_another_uidvalidity(self):
        box = self.box()
        a, b, c = box.deliver(3)
        box.phone("move", c, "--folder", "Work")
        box.sync()
        with box.server_stopped():
            for folder in ("INBOX", "Work"):
                self.rig.server.forget_uids(box.user, folder)
        box.phone("mark", a, "--read")
        box.mail.add_flags("INBOX", b, URGENT)
        box.sync()
        box.sync()
        expected = {
            a: ("read", f"INBOX {READ}"),
            b: ("new urgent", f"INBOX {URGENT}"),
            c: ("new in Work", "Work"),
        }
        box.check(expected)
        box.push()
        box.check(expected)
        box.phone("delete", c)
        box.mail.expunge("INBOX", b)
        box.sync()
        box.check({a: ("read", f"INBOX {READ}"), b: ("deleted urgent", ""), c: ("deleted in Work", "")})

    def test_deleted_while_the_uidvalidity_changed(self):
        """Nobody can tell that from a mail that was lost: the message stays."""
        box = self.box()
        a, b, c = box.deliver(3)
        box.mail.expunge("INBOX", a)
        with box.server_stopped():
            self.rig.server.forget_uids(box.user)
        box.phone("delete", b)
        box.sync()
        box.sync()
        box.check({a: ("new", ""), b: ("deleted", ""), c: ("new", "INBOX")})

    def test_uids_that_mean_other_mails_now(self):
        """A server that breaks its promise: same UIDVALIDITY, and our UID is somebody else's mail."""
        box = self.box()
        [a] = box.deliver(1)
        uid = box.mail.uid("INBOX", a)
        box.mail.append("INBOX", "not of the unit")
        validity = box.mail.uidvalidity("INBOX")
        [theirs] = [mail.message_id for mail in box.mail.mails() if not mail.id]
        with box.server_stopped():
            self.rig.server.swap_uids(box.user)
        self.assertEqual(validity, box.mail.uidvalidity("INBOX"))
        self.assertEqual([None], [mail.id for mail in box.mail.mails() if mail.uid == uid])
        box.phone("delete", a)
        for _ in range(3):
            box.sync(status=None)
        self.assertIn(theirs, [mail.message_id for mail in box.mail.mails()], "somebody else's mail was deleted")
        self.assertNotIn(DELETED, [f for mail in box.mail.mails() if not mail.id for f in mail.flags])

    def test_mails_that_only_say_to_be_ours(self):
        box, other = self.box(), self.box()
        [a], [b] = box.deliver(1), other.deliver(1)
        unknown = "01ARYZ6S41TSV4RRFFQ69G5FAV"
        for text in (unknown, "../../etc/passwd", "x" * 5000, "", "%s%n", '"; DROP TABLE messages; --', b):
            box.mail.append("INBOX", f"X-VM-Message-Id: {text}\r\nSubject: who am I\r\n\r\nhello\r\n".encode(), READ)
        before = box.mail.mails()
        box.sync()
        other.sync()
        other.phone("delete", b)
        other.sync()
        box.sync()
        self.assertEqual(before, box.mail.mails())
        box.check({a: ("new", "INBOX")})
        other.check({b: ("deleted", "")})

    def test_search_mode_text(self):
        """Some gateways take unknown header fields off; what is left is the line in the text."""
        box, header = self.box(Imap4_Search_Mode="Text"), self.box()
        uids = {}
        for one in (box, header):
            a, b = one.add(), one.add()
            one.push()
            for identity in (a, b):
                raw = re.sub(rb"(?im)^X-VM-[^\n]*\n", b"", one.mail.raw("INBOX", identity))
                raw = re.sub(rb"(?im)^Message-ID:[^\n]*\n", f"Message-ID: <{identity}@gateway>\r\n".encode(), raw)
                one.mail.expunge("INBOX", identity)
                one.mail.append("INBOX", raw)
                uids[identity] = max(mail.uid for mail in one.mail.mails())
            one.sync()
            if one is header:
                self.assertEqual([None, None], [m["link"] for m in one.messages().values()])
                continue
            self.assertEqual(uids[a], one.link(a)["uid"])
            one.phone("mark", a, "--read")
            one.mail.add_flags("INBOX", uids[b], READ, URGENT)
            one.sync()
            self.assertEqual([{READ}, {READ, URGENT}], [mail.flags for mail in one.mail.mails()])
            self.assertEqual("read urgent", one.describe(one.messages()[b]))
            one.phone("delete", a)
            one.mail.expunge("INBOX", uids[b])
            one.sync()
            self.assertEqual([], one.mail.mails())
            self.assertEqual(["deleted", "deleted"], [m["state"] for m in one.messages().values()])


class GuardTest(synctest.TestCase):
    misc = {"g_nMassDeletionLimit": 3}

    def held(self, box, identities):
        """The mailbox is on hold and says why; nothing was deleted on the phone."""
        status = box.status()
        self.assertEqual("hold", status["state"])
        self.assertIn(f"`vmctl release {box.number}`", status["reason"])
        messages = box.messages()
        self.assertEqual(["new"] * len(identities), [messages[i]["state"] for i in identities])

    def mass_deleted(self):
        box = self.box()
        identities = box.deliver(6)
        box.mail.append("INBOX", "marked by somebody", DELETED)
        box.mail.expunge("INBOX", *identities[:3])
        box.mail.add_flags("INBOX", identities[3], DELETED)
        box.sync(status=None)
        self.held(box, identities)
        return box, identities

    def test_few_are_deleted(self):
        box = self.box()
        four, many = box.deliver(4), self.box()
        box.mail.expunge("INBOX", *four[:3])  # most, but not more than the limit
        box.sync()
        box.check({i: ("deleted", "") if i in four[:3] else ("new", "INBOX") for i in four})
        nine = many.deliver(9)
        many.mail.expunge("INBOX", *nine[:4])  # more than the limit, but not most
        many.sync()
        many.check({i: ("deleted", "") if i in nine[:4] else ("new", "INBOX") for i in nine})
        self.assertEqual(["ok", "ok"], [b.status()["state"] for b in (box, many)])

    def test_many_put_the_mailbox_on_hold_until_a_person_lets_them_go(self):
        box, identities = self.mass_deleted()
        box.sync(status=None)
        self.held(box, identities)
        box.unit.ctl("release", box.number)
        box.sync()
        expected = {i: ("deleted", "") for i in identities[:3]}
        expected[identities[3]] = ("deleted", f"INBOX {DELETED}")
        expected.update({i: ("new", "INBOX") for i in identities[4:]})
        box.check(expected)
        self.assertEqual("ok", box.status()["state"])
        self.assertIn({DELETED}, [mail.flags for mail in box.mail.mails() if not mail.id])

    def test_many_are_kept(self):
        box, identities = self.mass_deleted()
        box.unit.ctl("release", box.number, "--keep")
        box.sync()
        messages = box.messages()
        self.assertEqual(["new"] * 6, [messages[i]["state"] for i in identities])
        self.assertEqual([None] * 3, [messages[i]["link"] for i in identities[:3]])
        self.assertEqual(["INBOX"] * 2, [messages[i]["link"]["folder"] for i in identities[4:]])
        self.assertEqual("ok", box.status()["state"])
        box.push()
        self.assertEqual({*identities[3:]}, set(box.account()), "what was kept was sent again")
        box.phone("mark", identities[0], "--read")
        box.phone("delete", identities[1])
        box.mail.expunge("INBOX", identities[5])
        box.sync()
        states = [box.messages()[i]["state"] for i in (identities[0], identities[1], identities[5])]
        self.assertEqual(["read", "deleted", "deleted"], states)

    def test_on_hold_nothing_is_deleted_in_the_mail_either(self):
        box, identities = self.mass_deleted()
        box.phone("delete", identities[5])
        box.sync(status=None)
        left = {identities[3]: f"INBOX {DELETED}", identities[4]: "INBOX"}
        self.assertEqual({**left, identities[5]: "INBOX"}, box.account())
        box.unit.ctl("release", box.number)
        box.sync()
        self.assertEqual(left, box.account())

    def test_release_without_a_hold(self):
        box = self.box()
        box.deliver(1)
        done = box.unit.ctl("release", box.number, status=None)
        self.assertNotEqual(0, done.returncode)
        self.assertEqual(1, len(done.stderr.strip().splitlines()), done.stderr)
        self.assertEqual("ok", box.status()["state"])

    def test_an_account_that_was_emptied(self):
        for release, state in (((), "deleted"), (("--keep",), "new")):
            box = self.box()
            identities = box.deliver(3)
            with box.server_stopped():
                self.rig.server.empty(box.user)
            box.sync(status=None)
            self.held(box, identities)
            box.phone("mark", identities[0], "--read")
            box.push(status=None)
            self.assertEqual({}, box.account(), "sent again by itself")
            box.phone("mark", identities[0], "--new")
            box.unit.ctl("release", box.number, *release)
            box.sync()
            box.push()
            box.check({identity: (state, "") for identity in identities})
            self.assertEqual("ok", box.status()["state"])

    def test_another_account(self):
        box, new = self.box(), self.box()
        identities = box.deliver(3)
        [theirs] = new.deliver(1)
        box.unit.set(box.number, Imap4_Account=new.user, Imap4_Password=self.rig.users[new.user])
        box.sync(status=None)
        self.held(box, identities)
        self.assertEqual({theirs: "INBOX"}, new.account())
        # Back again before anybody released it: it is all there.
        box.unit.set(box.number, Imap4_Account=box.user, Imap4_Password=self.rig.users[box.user])
        box.unit.ctl("release", box.number)
        box.sync()
        box.check({identity: ("new", "INBOX") for identity in identities})

    def test_an_account_that_moved_with_its_mail(self):
        box, new = self.box(), self.box()
        identities = box.deliver(3)
        for identity in identities:
            new.mail.append("INBOX", box.mail.raw("INBOX", identity))
        box.unit.set(box.number, Imap4_Account=new.user, Imap4_Password=self.rig.users[new.user])
        box.sync()
        box.phone("mark", identities[0], "--read")
        new.mail.expunge("INBOX", identities[1])
        box.sync()
        self.assertEqual({identities[0]: f"INBOX {READ}", identities[2]: "INBOX"}, new.account())
        states = [box.messages()[i]["state"] for i in identities]
        self.assertEqual(["read", "deleted", "new"], states)

    def test_another_scope(self):
        box = self.box("All Folders")
        identities = box.deliver(3)
        box.phone("move", identities[0], "--folder", "Work")
        box.sync()
        box.unit.set(box.number, Email_Integration_Sync_Mode="Inbox Only")
        box.sync()
        self.assertEqual(["new"] * 3, [box.messages()[i]["state"] for i in identities])
        self.assertEqual({identities[0]: "Work", identities[1]: "INBOX", identities[2]: "INBOX"}, box.account())
        box.unit.set(box.number, Email_Integration_Sync_Mode="All Folders")
        box.sync()
        box.mail.add_flags("Work", identities[0], READ)
        box.sync()
        self.assertEqual(["read", "new", "new"], [box.messages()[i]["state"] for i in identities])


class SwitchTest(synctest.TestCase):
    def test_email_integration_off_and_on_again(self):
        box = self.box()
        heard, seen, flagged, gone, deleted = box.deliver(5)
        box.unit.set(box.number, Email_Integration="No")
        box.unit.once("--mailbox", box.number)
        self.assertEqual("off", box.status()["state"])
        box.phone("mark", heard, "--read")
        box.phone("delete", deleted)
        box.mail.add_flags("INBOX", seen, READ)
        box.mail.add_flags("INBOX", flagged, URGENT)
        box.mail.expunge("INBOX", gone)
        box.sync(status=None)
        late = box.add()
        box.push()
        places = {heard: "INBOX", seen: f"INBOX {READ}", flagged: f"INBOX {URGENT}", deleted: "INBOX"}
        self.assertEqual(places, box.account(), "it is off")
        box.unit.set(box.number, Email_Integration="Yes")
        for _ in range(2):
            box.sync()
            box.push()
        box.check({
            heard: ("read", f"INBOX {READ}"),
            seen: ("new", "INBOX"),  # the unit wins
            flagged: ("new urgent", f"INBOX {URGENT}"),
            gone: ("new", ""),  # neither deleted nor sent again
            deleted: ("deleted", ""),
            late: ("new", ""),
        })  # fmt: skip

    def test_retention(self):
        box = self.box(Deleted_Retention_Days="14")
        old, young, unsent, kept = box.deliver(4)
        box.mail.expunge("INBOX", old)
        box.phone("delete", young)
        box.sync()
        box.phone("delete", unsent)
        # Deleted 15 days ago: two of the mails are gone, of the third nobody has told the account yet.
        with sqlite3.connect(box.unit.root / "var/vm.db") as store:
            for identity, days in ((old, 15), (young, 13), (unsent, 15)):
                store.execute(
                    "UPDATE messages SET deleted_at = deleted_at - ? WHERE id = ?", (days * DAY_MS, identity)
                )
        store.close()
        media = len(list((box.unit.root / "var/media").rglob("*.wav")))
        box.sync()
        box.unit.once("--mailbox", box.number)
        box.unit.ctl("message", "show", old, status=66)
        self.assertEqual(("deleted", "new"), (box.messages()[young]["state"], box.messages()[kept]["state"]))
        self.assertEqual({kept: "INBOX"}, box.account())
        self.assertLess(len(list((box.unit.root / "var/media").rglob("*.wav"))), media)
        box.phone("restore", young)

    def test_a_dry_run_tells_and_does_nothing(self):
        box = self.box()
        a, b, c, d = box.deliver(4)
        box.phone("mark", a, "--read")
        box.phone("delete", b)
        box.mail.add_flags("INBOX", c, URGENT)
        box.mail.expunge("INBOX", d)
        before = (box.messages(), box.mail.mails())
        told = [box.sync("--dry-run").stdout for _ in range(2)]
        self.assertEqual(before, (box.messages(), box.mail.mails()))
        self.assertEqual(told[0], told[1])
        for identity in (a, b, c, d):
            self.assertTrue([line for line in told[0].splitlines() if identity in line], told[0])
        box.sync()
        box.check({
            a: ("read", f"INBOX {READ}"),
            b: ("deleted", ""),
            c: ("new urgent", f"INBOX {URGENT}"),
            d: ("deleted", ""),
        })  # fmt: skip
        self.assertEqual(f"{box.number}: nothing to do", box.sync("--dry-run").stdout.strip())

    def test_a_dry_run_makes_no_folder(self):
        box = self.box("VM Folder Only")
        box.sync("--dry-run", status=None)
        self.assertNotIn(synctest.VM_FOLDER, box.mail.folders())


class TroubleTest(synctest.TestCase):
    """No error is ever read as a deletion."""

    def fails(self, box, *words):
        done = box.sync(status=None)
        self.assertIn(done.returncode, (69, 75, 78), done.stderr)
        self.assertEqual(1, len(done.stderr.strip().splitlines()), done.stderr)
        status = box.status()
        self.assertEqual("error", status["state"])
        for word in words:
            self.assertIn(word, status["reason"])

    def test_a_server_that_is_down(self):
        box = self.box()
        a, b = box.deliver(2)
        with box.server_stopped():
            box.phone("mark", a, "--read")
            self.fails(box, str(self.rig.ports["imaps"]))
            self.assertEqual(["read", "new"], [m["state"] for m in box.messages().values()])
        box.sync()
        box.check({a: ("read", f"INBOX {READ}"), b: ("new", "INBOX")})
        self.assertEqual("ok", box.status()["state"])

    def test_a_wrong_password(self):
        box = self.box()
        a, b = box.deliver(2)
        box.unit.set(box.number, Imap4_Password="wr0ng-w0rd")
        box.phone("delete", a)
        self.fails(box)
        self.assertNotIn("wr0ng-w0rd", box.unit.trace() + json.dumps(box.status()))
        self.assertEqual({a: "INBOX", b: "INBOX"}, box.account())
        box.unit.set(box.number, Imap4_Password=self.rig.users[box.user])
        box.sync()
        box.check({a: ("deleted", ""), b: ("new", "INBOX")})

    def test_a_certificate_of_nobody_we_know(self):
        box = self.box()
        [a] = box.deliver(1)
        box.unit.set(box.number, TLS_CA_File=self.rig.stranger_ca_file)
        self.fails(box, "ertificate")
        box.check({a: ("new", "INBOX")})

    def test_ways_to_connect(self):
        for options in (
            {"Imap4_Port": self.rig.ports["imap"], "Imap4_SSL": "STARTTLS", "Imap4_Authentication": "Cram-MD5"},
            {"Imap4_Port": self.rig.ports["imap"], "Imap4_SSL": "STARTTLS", "Imap4_Authentication": "Login"},
            {"Imap4_Port": self.rig.ports["imap"], "Imap4_SSL": "No", "Allow_Cleartext_Password": "Yes"},
        ):
            box = self.box(**options)
            [a] = box.deliver(1)
            box.mail.add_flags("INBOX", a, READ)
            box.sync()
            box.check({a: ("read", f"INBOX {READ}")})

    def test_one_mailbox_alone(self):
        """What is wrong with one says nothing about another."""
        bad, good = self.box(), self.box()
        bad.deliver(1)
        [b] = good.deliver(1)
        bad.unit.set(bad.number, Imap4_Password="wrong")
        good.mail.add_flags("INBOX", b, READ)
        self.fails(bad)
        good.sync()
        good.check({b: ("read", f"INBOX {READ}")})

    def test_mailboxes_that_cannot_be_synchronised(self):
        self.assertEqual(66, self.shared.ctl("sync", "99999", status=None).returncode)
        unit = self.unit("libsmtppop3.so")
        unit.mailbox("101", self.rig, "user0")
        before = unit.trace()
        done = unit.ctl("sync", "101", status=None)
        self.assertIn(done.returncode, (0, 69, 78), before + done.stderr)


if __name__ == "__main__":
    vmunit.main()
