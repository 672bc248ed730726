#!/usr/bin/env python3
"""OAuth 2.0: tokens in place of passwords for SMTP, IMAP and POP3, with a token server, and a Postfix and a
Dovecot that ask it about every token."""

import base64
import subprocess
import unittest

import vmunit
from crashrig import CrashUnit, Run
from dovecot import Dovecot
from mailrig import MailRig, short_temporary_directory, wait_until
from passwords import PASSWORD
from scriptedsmtp import DeliveringSmtp, ScriptedSmtp
from synctest import Box
from tokenserver import DROP, TokenServer

SEEN = r"\Seen"
WITHIN = 30.0
server = rig = users = directory = None


def setUpModule():
    global server, rig, users, directory
    directory = short_temporary_directory("vmtokens.")
    unittest.addModuleCleanup(subprocess.run, ["rm", "-rf", directory])
    server = unittest.enterModuleContext(TokenServer())
    # Their passwords open nothing here: another word than what the units know.
    accounts = {f"user{n}": f"no-{PASSWORD}" for n in range(60)}
    rig = unittest.enterModuleContext(MailRig(accounts, Dovecot(extra=server.dovecot(directory))))
    users = iter(rig.users)


class TestCase(vmunit.TestCase):
    def setUp(self):
        super().setUp()
        server.restore()

    def box(self, unit=None, number="101", granted=True, **options):
        """A mailbox that logs in with tokens everywhere; `granted`: by a refresh token that was brought."""
        values = {
            "Smtp_Authentication": "XOAuth2",
            "Smtp_Password": "",
            "Imap4_Authentication": "XOAuth2",
            "Imap4_Password": "",
            **server.options(),
        }
        box = Box(self, unit or self.unit(), rig, number, next(users), "Inbox Only", {**values, **options})
        if granted:
            self.grant(box)
            server.requests.clear()
        return box

    def grant(self, box):
        box.unit.run(
            "vmconfig",
            *("mailbox", "authorize", box.number, "--refresh-token", "-"),
            stdin=server.grant(box.user) + "\n",
        )

    def wait_for_reason(self, box, part):
        wait_until(
            lambda: f"{part} in {box.status()}; {box.unit.trace()[-3000:]}",
            lambda: part in (box.status()["reason"] or ""),
            WITHIN,
        )

    def in_the_account_once(self, box, identity):
        wait_until("arrival", lambda: identity in box.mail.ids())
        for _ in range(2):
            box.sync()
        self.assertEqual(1, [mail.id for mail in box.mail.mails()].count(identity), "lost or doubled")
        self.assertEqual("sent", box.unit.state(identity))

    def vary(self, *mechanisms):
        """Other mechanisms from now on."""
        rig.vary(extra=server.dovecot(directory, *mechanisms))
        # What smtpd knew of Dovecot's is gone.
        rig.command_output("postfix", "-c", str(rig.directory / "postfix/etc"), "reload")

    def kick(self, box):
        """The server ends the account's connections, as some do when the token they were made with expires."""
        box.mail.close()  # this one is of a client with a password
        box._mail = None
        conf = str(rig.directory / "dovecot.conf")
        rig.command_output("doveadm", "-c", conf, "kick", box.user)


class TokensTest(TestCase):
    def test_a_message_is_pushed_and_kept_in_step(self):
        box = self.box()
        [identity] = box.deliver(1)
        self.assertEqual("sent", box.unit.state(identity))
        box.mail.add_flags("INBOX", identity, SEEN)
        box.sync()
        self.assertEqual("read", box.messages()[identity]["state"])
        # The token that came with the grant was good for all of it.
        self.assertEqual(0, server.asked())

    def test_other_mechanisms(self):
        """OAUTHBEARER where it is asked for, and where the server has nothing else; by STARTTLS, too."""
        wanted = {"Smtp_Authentication": "OAuthBearer", "Imap4_Authentication": "OAuthBearer"}
        self.box(**wanted).deliver(1)
        self.vary("oauthbearer")
        self.addCleanup(self.vary)
        self.box().deliver(1)
        box = self.box(Imap4_Port=rig.ports["imap"], Imap4_SSL="STARTTLS", Smtp_Port=rig.ports["tls"], Smtp_SSL="Yes")
        box.deliver(1)
        self.assertIn("sasl_method=OAUTHBEARER", rig.postfix_log.read_text())
        self.vary("xoauth2")
        box = self.box(granted=True, **wanted)
        identity = box.add()
        self.assertIn("OAUTHBEARER was asked for; the server offers", box.unit.once(status=75).stderr)
        self.assertEqual("deferred", box.unit.state(identity))

    def test_a_token_that_the_server_refuses_is_replaced_at_once(self):
        box = self.box()
        box.deliver(1)
        server.expire()
        box.deliver(1)
        # For SMTP; what came of it is good for IMAP as well.
        self.assertEqual(1, server.asked(grant_type="refresh_token"))

    def test_a_token_is_renewed_before_its_time_is_over(self):
        box = self.box(granted=False)
        server.lifetime = 12
        self.grant(box)
        server.requests.clear()
        box.deliver(1)
        wait_until("renewal", lambda: box.sync() and server.asked(grant_type="refresh_token"), 30)

    def test_refresh_tokens_that_change(self):
        server.rotate = True
        box = self.box()
        for _ in range(3):
            server.expire()
            box.deliver(1)
        asked = [fields["refresh_token"] for _, fields in server.requests if "refresh_token" in fields]
        self.assertEqual(len(set(asked)), len(asked))

    def test_two_mailboxes_have_tokens_of_their_own(self):
        unit = self.unit()
        first, second = self.box(unit, "101"), self.box(unit, "102")
        one, other = first.add(), second.add()
        unit.once()
        rig.drain()
        first.arrive(one)
        second.arrive(other)
        server.expire()
        with unit.agent() as agent:
            agent.wait_for_workers()
            for box in (first, second):
                unit.wait_for_state(box.add(), "sent")
        # The push and the pass of a mailbox in one process, and of the other in the other: one request each.
        self.assertEqual(2, server.asked(grant_type="refresh_token"))

    def test_in_its_own_name(self):
        box = self.box(granted=False, OAuth2_Flow="Client Credentials")
        server.application = box.user
        box.deliver(1)
        self.assertEqual(1, server.asked(grant_type="client_credentials"))
        server.expire()
        box.deliver(1)
        self.assertEqual(2, server.asked(grant_type="client_credentials", scope="mail offline_access"))

    def test_passwords_and_tokens_side_by_side(self):
        """Where an Authentication is none of tokens, the password is what it was; and without a provider it is
        the token itself."""
        box = self.box(Imap4_Authentication="Plain", Imap4_Password=f"no-{PASSWORD}")
        box.deliver(1)
        server.grant(box.user)
        self.grant(box)
        token = server.valid_tokens()[-1]
        box.unit.set("101", OAuth2_Provider="None", Smtp_Password=token)
        box.deliver(1)

    def test_a_maildrop(self):
        unit = self.unit("libsmtppop3.so")
        for number, mechanism in (("101", "XOAuth2"), ("102", "OAuthBearer")):
            box = self.box(
                unit,
                number,
                Pop3_Server=rig.host,
                Pop3_Port=rig.ports["pop3s"],
                Pop3_SSL="Yes",
                Pop3_Authentication=mechanism,
            )
            unit.set(number, Pop3_Account=box.user)
            a, b = box.add(), box.add()
            box.push()
            wait_until("arrival", lambda box=box, ids={a, b}: ids <= set(box.mail.ids()))
            server.expire()
            box.phone("delete", a)
            box.sync()
            self.assertEqual({b}, set(box.mail.ids()))
            self.assertEqual(1, server.asked(grant_type="refresh_token"))
            server.requests.clear()


class AgentTest(TestCase):
    """The running agent, whose connections outlive their tokens."""

    def test_a_parked_connection_that_is_cut_when_its_token_expires(self):
        box = self.box()
        box.unit.config("misc", "set", "g_bImap4SyncPendingTimer", "86400")
        with box.unit.agent() as agent:
            agent.wait_for_workers()
            identity = box.add()
            box.unit.wait_for_state(identity, "sent")
            wait_until("parked connection", lambda: box.link(identity) and box.status()["idle"], WITHIN)
            server.expire()
            self.kick(box)
            box.mail.add_flags("INBOX", identity, SEEN)
            box.seen_on_the_phone(identity, "read", WITHIN)
            self.assertEqual(1, server.asked(grant_type="refresh_token"))
            # Cut for another reason, with a token that is good: nobody is asked.
            self.kick(box)
            box.mail.clear_flags("INBOX", identity, SEEN)
            box.seen_on_the_phone(identity, "new", WITHIN)
            self.assertEqual(1, server.asked(grant_type="refresh_token"))

    def test_revoked_and_granted_anew(self):
        box = self.box()
        box.deliver(1)
        server.revoke()
        with box.unit.agent() as agent:
            agent.wait_for_workers()
            identity = box.add()
            self.wait_for_reason(box, "grant it: vmconfig mailbox authorize 101")
            reason = box.status()["reason"]
            self.assertIn("invalid_grant: Token has been expired or revoked.", reason)
            # Whatever is tried again, the provider is not asked again.
            before = server.asked()
            self.assertEqual(1, before)
            for _ in range(3):
                box.unit.ctl("queue", "retry", status=None)
                box.sync(status=None)
            self.assertEqual(before, server.asked())
            self.assertIn(box.unit.state(identity), ("queued", "deferred"))
            self.grant(box)
            box.unit.wait_for_state(identity, "sent")
            wait_until("link", lambda: box.link(identity), WITHIN)
        rig.drain()
        self.in_the_account_once(box, identity)

    def test_not_granted_yet(self):
        box = self.box(granted=False)
        told = box.unit.run("vmemaild", "--check", status=None)
        self.assertIn("101: OAuth2: mailbox 101: access to the account has not been granted yet", told.stderr)
        with box.unit.agent() as agent:
            agent.wait_for_workers()
            identity = box.add()
            self.wait_for_reason(box, "vmconfig mailbox authorize 101")
            self.assertEqual(0, server.asked())
            self.grant(box)
            box.unit.wait_for_state(identity, "sent")

    def test_a_token_server_that_is_down(self):
        """What there is serves as long as it is good; then messages wait, and the server is asked once a minute."""
        box = self.box()
        server.answers["token"] = DROP
        box.deliver(1)
        server.expire()
        with box.unit.agent() as agent:
            agent.wait_for_workers()
            identity = box.add()
            self.wait_for_reason(box, "OAuth2: 127.0.0.1")
            for _ in range(3):
                box.sync(status=None)
            self.assertEqual(1, server.asked())
            server.answers.clear()
        # Another process need not wait for the minute to end.
        box.unit.ctl("queue", "retry", status=None)
        box.unit.once()
        self.assertEqual("sent", box.unit.state(identity))

    def test_the_server_says_that_the_secret_has_expired(self):
        box = self.box()
        server.expire()
        server.answers["token"] = (401, {"error": "invalid_client", "error_description": "AADSTS7000222: expired"})
        box.add()
        told = box.unit.once(status=75).stderr
        self.assertIn("does not take this client: invalid_client: AADSTS7000222: expired", told)
        self.assertIn("OAuth2 Client Secret", told)


class PushTest(TestCase):
    """An SMTP server that looks at tokens, and cuts connections when they expire."""

    def setUp(self):
        super().setUp()
        server.padding = 0  # it takes initial responses alone

    def smtp(self, scripted, box):
        """Makes a scripted server ask for a token that is valid, and the mailbox push there."""

        def auth(line):
            words = base64.b64decode(line.split()[2]).decode() if len(line.split()) > 2 else ""
            valid = any(token in words for token in server.valid_tokens())
            return "235 2.7.0 in" if valid else "535 5.7.8 the token has expired"

        scripted.script.update({"EHLO": "250-scripted\r\n250-AUTH PLAIN XOAUTH2\r\n250 PIPELINING", "AUTH": auth})
        box.unit.set(
            box.number,
            Smtp_Server="127.0.0.1",
            Smtp_Port=scripted.port,
            Smtp_SSL="No",
            Allow_Cleartext_Password="Yes",
        )

    def test_cut_behind_the_final_dot(self):
        """Nobody knows whether it arrived: it did, and is found with another token, not sent again."""
        box = self.box()
        with DeliveringSmtp(rig, box.user) as smtp:
            self.smtp(smtp, box)

            def replies():
                server.expire()
                yield ScriptedSmtp.DROP

            smtp.replies = replies()
            identity = box.add()
            box.unit.once(status=None)
            self.in_the_account_once(box, identity)
            self.assertEqual(1, len(smtp.received))

    def test_cut_before_the_final_dot(self):
        box = self.box()
        for step in ("MAIL", "RCPT", "DATA"):
            with self.subTest(step), DeliveringSmtp(rig, box.user) as smtp:
                self.smtp(smtp, box)
                smtp.script[step] = "421 4.7.66 the token has expired"
                identity = box.add()
                box.unit.once(status=75)
                self.assertIn("421 4.7.66", box.unit.delivery(identity)["last_reply"])
                server.expire()
                del smtp.script[step]
                box.unit.ctl("queue", "retry")
                box.unit.once(status=None)
                self.in_the_account_once(box, identity)
                self.assertEqual(1, len(smtp.received))

    def test_a_kept_connection_whose_token_expires(self):
        """Between two messages of the agent: the next one goes over a new connection, with a new token."""
        box = self.box()
        with DeliveringSmtp(rig, box.user) as smtp:
            self.smtp(smtp, box)
            with box.unit.agent() as agent:
                agent.wait_for_workers()
                first = box.add()
                box.unit.wait_for_state(first, "sent")
                server.expire()
                closed = iter(["421 4.7.66 the token has expired"])
                smtp.script["MAIL"] = lambda _: next(closed, "250 2.1.0 ok")
                second = box.add()
                box.unit.wait_for_state(second, "sent", seconds=120)
            for identity in (first, second):
                self.in_the_account_once(box, identity)


class CrashTest(TestCase):
    def test_killed_between_renewal_and_use(self):
        """The provider has exchanged the refresh token: the new one is there, whatever is killed."""
        server.rotate = True
        for point in ("rename file", "renamed file", "renewed token"):
            with self.subTest(point):
                unit = CrashUnit("libsmtpimap4.so")
                self.addCleanup(unit.remove)
                box = self.box(unit)
                box.deliver(1)
                server.expire()
                identity = box.add()
                run = Run(unit)
                # (The first file that is written is the old grant once more, before anybody is asked.)
                run.run(run.environment_to_die(point, 1), "vmemaild", "--once")
                self.assertTrue(run.died(), point)
                unit.once(status=None)
                unit.ctl("queue", "retry", status=None)
                unit.once()
                rig.drain()
                self.assertEqual("sent", unit.state(identity), unit.trace()[-2000:])
                self.in_the_account_once(box, identity)


if __name__ == "__main__":
    vmunit.main()
