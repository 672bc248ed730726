#!/usr/bin/env python3
"""The instruments of the synchronisation tests: servers that can do less, another make of server, and
the subscriber's mail programs. No program of ours runs; what fails here fails elsewhere for no fault."""

import smtplib
import socket
import ssl
import threading

import vmunit
from countingproxy import CountingProxy
from cyrus import Cyrus
from dovecot import PLAIN_HOST
from mailclient import MailClient, MailClientError
from mailrig import MailRig, wait_until
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


    def test_counting(self):
        user, mail = self.account("A")
        self.rig.server.put(user, 500)
        with CountingProxy(self.rig.ports["imap"], PLAIN_HOST) as proxy:
            with socket.create_connection(("127.0.0.1", proxy.port)) as client:
                answers = client.makefile("rb")

                def say(*lines):
                    """Sends the lines at once; returns when the last of them is answered."""
                    client.sendall("".join(f"t{n} {line}\r\n" for n, line in enumerate(lines)).encode())
                    while not answers.readline().startswith((f"t{len(lines) - 1} ".encode(), b"+")):
                        pass

                self.assertNotIn(b"STARTTLS", answers.readline())
                say('LOGIN %s "%s"' % (user, self.rig.users[user].replace("\\", "\\\\").replace('"', '\\"')))
                say("ENABLE QRESYNC")
                say("SELECT INBOX")
                self.assertEqual((3, 1), (proxy.cost().round_trips, proxy.cost().connections))
                proxy.reset()
                say("NOOP", "UID SEARCH RETURN (COUNT) ALL")
                self.assertEqual((1, 0), (proxy.cost().round_trips, proxy.cost().connections))
                self.assertEqual(len("t0 NOOP\r\nt1 UID SEARCH RETURN (COUNT) ALL\r\n"), proxy.cost().sent)
                proxy.reset()
                say("IDLE")
                self.assertEqual(0, proxy.cost().round_trips)
                wait_until("parked connection", proxy.is_parked)
                with proxy.held():
                    mail.expunge("INBOX", "A")
                    self.assertLess(proxy.cost().received, 30)
                self.assertIn(b"VANISHED", answers.readline())
                self.assertTrue(proxy.is_parked())
                proxy.reset()
                client.sendall(b"DONE\r\nt0 NOOP\r\n")
                while not answers.readline().startswith(b"t0 OK NOOP"):
                    pass
                self.assertFalse(proxy.is_parked())
                self.assertEqual(1, proxy.cost().round_trips, proxy.said)


class CyrusRigTest(Instruments, vmunit.TestCase):
    make = Cyrus

    def test_it_refuses_some_names(self):
        """What a server may do to a folder that somebody made on the phone."""
        _, mail = self.account()
        with self.assertRaises(MailClientError):
            mail.create('a "quoted" name')


class ClassicCyrusRigTest(Instruments, vmunit.TestCase):
    make = staticmethod(lambda: Cyrus(classic=True))
    # As Cyrus itself.
    test_a_real_mail_program = test_capabilities = None
    test_stopped_alone_it_comes_back_and_gets_what_was_sent_meanwhile = None


if __name__ == "__main__":
    vmunit.main()
