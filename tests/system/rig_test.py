#!/usr/bin/env python3
"""The instruments of the synchronisation tests: servers that can do less, another make of server, and
the subscriber's mail programs. No program of ours runs; what fails here fails elsewhere for no fault."""

import re
import smtplib
import ssl
import threading

import vmunit
from cyrus import Cyrus
from mailclient import MailClient, MailClientError
from mailrig import MailRig
from mbsync import Mbsync

# What the client of the unit makes use of.
USED = "QRESYNC CONDSTORE MOVE UIDPLUS IDLE LIST-STATUS SPECIAL-USE NAMESPACE".split()
HARD_NAME = "Töchter & Söhne ☎"


def push(rig, user, identity, security="starttls"):
    """A mail that looks like one of the unit's."""
    with smtplib.SMTP(rig.host, rig.ports[security]) as connection:
        if security != "relay":
            connection.starttls(context=ssl.create_default_context(cafile=str(rig.ca_file)))
            connection.login(user, rig.users[user])
        connection.sendmail(
            "unit@example.test",
            [rig.address(user)],
            f"X-VM-Message-Id: {identity}\r\nMessage-ID: <{identity}@example.test>\r\n\r\n[VM:{identity}]\r\n",
        )


class Instruments:
    """What every server of the rig and the client must do."""

    def make(self):
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        cls.rig = MailRig({f"user{n}": 'Pa"ss #;=w\\ord 1' for n in range(20)}, cls.make())
        cls.addClassCleanup(cls.rig.stop)
        cls.rig.start()
        cls.users = iter(cls.rig.users)

    def account(self, *identities):
        user = next(self.users)
        for identity in identities:
            push(self.rig, user, identity)
        self.rig.wait_for_mail(user, len(identities))
        mail = MailClient(self.rig, user)
        self.addCleanup(mail.close)
        return user, mail

    def test_flags_folders_and_moves(self):
        _, mail = self.account("A", "B")
        self.assertLessEqual({"INBOX", "Trash", "Junk", "Drafts", "Sent"}, set(mail.folders()))
        self.assertEqual({"A": set(), "B": set()}, mail.ids())
        mail.add_flags("INBOX", "A", r"\Seen", r"\Flagged")
        mail.clear_flags("INBOX", "A", r"\Seen")
        self.assertEqual({r"\Flagged"}, mail.ids()["A"])
        for folder in ("Work", "Work/2024", HARD_NAME):
            if folder not in mail.folders():
                mail.create(folder)
            mail.move("INBOX", "A", folder)
            self.assertEqual({folder: {r"\Flagged"}}, mail.find("A"))
            mail.move(folder, "A", "INBOX")
        mail.rename("Work/2024", "Work/2025")
        mail.copy("INBOX", "A", "Work/2025")
        self.assertEqual({"INBOX", "Work/2025"}, set(mail.find("A")))
        mail.delete_folder("Work/2025")
        self.assertNotIn("Work/2025", mail.folders())
        mail.append("INBOX", "not of the unit", r"\Seen", r"\Deleted")
        mail.expunge("INBOX", "B")
        self.assertEqual([("A", {r"\Flagged"}), (None, {r"\Seen", r"\Deleted"})],
                         [(m.id, m.flags) for m in mail.mails()])  # fmt: skip

    def test_idle_tells_of_an_expunge(self):
        user, mail = self.account("A")

        def expunge():
            with MailClient(self.rig, user) as other:
                other.expunge("INBOX", "A")

        thread = threading.Timer(0.2, expunge)
        thread.start()
        self.assertRegex(mail.idle("INBOX", rb"(?i)EXPUNGE|VANISHED"), b"(?i)expunge|vanished")
        thread.join()

    def test_stopped_alone_it_comes_back_and_gets_what_was_sent_meanwhile(self):
        user, _ = self.account("A")
        with self.rig.server_stopped():
            with self.assertRaises(OSError):
                MailClient(self.rig, user)
            push(self.rig, user, "B", "relay")
        self.rig.wait_for_mail(user, 2)

    def test_a_real_mail_program(self):
        user, mail = self.account("A", "B", "C")
        program = Mbsync(self.rig, user, self.files)
        program.sync()
        self.assertEqual({"A", "B", "C"}, set(program.files()))
        program.set_flags("A", "FS")
        program.remove("B")
        program.move("C", "Archive")
        program.sync()
        self.assertEqual({"A": {r"\Seen", r"\Flagged"}}, mail.ids())
        self.assertEqual(["Archive"], list(mail.find("C")))
        mail.clear_flags("INBOX", "A", r"\Flagged")
        program.sync()
        self.assertEqual({"S"}, program.flags("A"))

    def test_capabilities(self):
        _, mail = self.account()
        print(" ".join(sorted(mail.capabilities)), end=" ")
        self.assertLessEqual(set(USED), mail.capabilities)


class DovecotRigTest(Instruments, vmunit.TestCase):
    make = staticmethod(lambda: None)

    def test_a_capability_that_is_off_is_told_nowhere(self):
        for capability in (*USED, "NOTIFY"):
            self.rig.vary(without={capability})
            user = next(iter(self.rig.users))
            with MailClient(self.rig, user) as mail:
                self.assertNotIn(capability, mail.capabilities)
                self.assertNotIn(capability, mail.before_login)
                self.assertEqual(mail.capabilities & set(USED), set(USED) - {capability})
        self.rig.vary()

    def test_a_namespace_with_a_prefix(self):
        for variant, name in (({"prefix": "INBOX."}, '"INBOX.Work.2024"'), ({"separator": "/"}, '"Work/2024"')):
            self.rig.vary(**variant)
            _, mail = self.account("A")
            mail.create("Work/2024")
            self.assertEqual(name, mail.server_name("Work/2024"))
            mail.move("INBOX", "A", "Work/2024")
            self.assertEqual(["Work/2024"], list(mail.find("A")))
        self.rig.vary()

    def test_many_foreign_mails_and_another_uidvalidity(self):
        user, mail = self.account("A")
        mail.create("Lots")
        self.rig.server.put(user, 5000, "Lots", "S")
        self.assertEqual(5000, mail.select("Lots"))
        before = [(mail.uidvalidity(folder), mail.mails(folder)[0].uid) for folder in ("INBOX", "Lots")]
        with self.rig.server_stopped():
            self.rig.server.forget_uids(user)
            self.rig.server.forget_uids(user, "Lots")
        with MailClient(self.rig, user) as mail:
            for folder, (validity, uid) in zip(("INBOX", "Lots"), before):
                self.assertNotEqual(validity, mail.uidvalidity(folder))
                self.assertNotEqual(uid, mail.mails(folder)[0].uid)
            self.assertEqual({"A": set()}, mail.ids())
            self.assertEqual(5000, mail.select("Lots"))

    def test_uids_that_are_swapped_and_an_account_that_is_emptied(self):
        user, mail = self.account("A")
        mail.append("INBOX", "another")
        validity, uid = mail.uidvalidity("INBOX"), mail.uid("INBOX", "A")
        with self.rig.server_stopped():
            self.rig.server.swap_uids(user)
        with MailClient(self.rig, user) as mail:
            self.assertEqual(validity, mail.uidvalidity("INBOX"))
            self.assertEqual([uid], [m.uid for m in mail.mails() if not m.id])
        with self.rig.server_stopped():
            self.rig.server.empty(user)
        with MailClient(self.rig, user) as mail:
            self.assertEqual([], mail.mails())
            self.assertNotEqual(validity, mail.uidvalidity("INBOX"))


class CyrusRigTest(Instruments, vmunit.TestCase):
    make = Cyrus

    def test_it_refuses_some_names(self):
        """What a server may do to a folder that somebody made on the phone."""
        _, mail = self.account()
        with self.assertRaises(MailClientError):
            mail.create('a "quoted" name')


class ClassicCyrusRigTest(Instruments, vmunit.TestCase):
    make = staticmethod(lambda: Cyrus(classic=True))


if __name__ == "__main__":
    vmunit.main()
