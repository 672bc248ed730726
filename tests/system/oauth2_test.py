#!/usr/bin/env python3
"""OAuth 2.0: tokens in place of passwords for SMTP, IMAP and POP3, with a token server, and a Postfix and a
Dovecot that ask it about every token."""

import pathlib
import subprocess
import unittest

import media
import vmunit
from dovecot import Dovecot
from mailrig import MailRig, short_temporary_directory, wait_until
from passwords import PASSWORD
from synctest import Box
from tokenserver import SECRET, TokenServer

server = rig = users = None


def setUpModule():
    global server, rig, users
    directory = short_temporary_directory("vmtokens.")
    unittest.addModuleCleanup(subprocess.run, ["rm", "-rf", directory])
    server = unittest.enterModuleContext(TokenServer())
    # Their passwords open nothing here: another word than what the units know.
    accounts = {f"user{n}": f"no-{PASSWORD}" for n in range(60)}
    rig = unittest.enterModuleContext(MailRig(accounts, Dovecot(extra=server.dovecot(directory))))
    users = iter(rig.users)


class OAuth2TestCase(vmunit.TestCase):
    def setUp(self):
        super().setUp()
        server.restore()

    def box(self, unit, number="101", granted=True, **options):
        """A mailbox that logs in with tokens everywhere; `granted`: by a refresh token, as if imported."""
        values = {
            "Smtp_Authentication": "XOAuth2",
            "Smtp_Password": "",
            "Imap4_Authentication": "XOAuth2",
            "Imap4_Password": "",
            **server.options(),
        }
        box = Box(self, unit, rig, number, next(users), "Inbox Only", {**values, **options})
        if granted:
            self.authorize(box, "--refresh-token", "-", secrets=[server.grant(box.user)])
            server.requests.clear()
        return box

    def authorize(self, box, *arguments, secrets=(), status=0):
        return box.unit.run(
            "vmconfig",
            *("mailbox", "authorize", box.number, *arguments),
            status=status,
            stdin="".join(f"{line}\n" for line in secrets),
        )


class TokensTest(OAuth2TestCase):
    def test_a_message_is_pushed_and_kept_in_step(self):
        box = self.box(self.unit())
        [identity] = box.deliver(1)
        self.assertEqual("sent", box.unit.state(identity))
        box.mail.add_flags("INBOX", identity, r"\Seen")
        box.sync()
        self.assertEqual("read", box.messages()[identity]["state"])
        # The token that came with the grant was good for all of it.
        self.assertEqual(0, server.asked())

    def test_an_expired_token_is_renewed_by_the_next_login(self):
        box = self.box(self.unit())
        box.deliver(1)
        server.expire()
        box.deliver(1)
        # Refused by the server though its time is not over: once for SMTP, and no more.
        self.assertEqual(1, server.asked(grant_type="refresh_token"))


if __name__ == "__main__":
    vmunit.main()
