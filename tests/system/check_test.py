#!/usr/bin/env python3
"""vmconfig mailbox check: what it says of servers that work, and of all that is set wrong, against a Postfix and
a Dovecot; and against servers that say what providers say."""

import contextlib
import json
import pathlib
import signal
import socket
import socketserver
import ssl
import subprocess
import threading
import unittest

import vmunit
from dovecot import PLAIN_HOST, Dovecot
from mailrig import MailRig, free_port, short_temporary_directory, wait_until
from passwords import PASSWORD
from scriptedsmtp import ScriptedSmtp
from synctest import Box
from tokenserver import TokenServer

STEPS = "dns tcp greeting tls capabilities login".split()

rig = tokens = users = None


def setUpModule():
    global rig, tokens, users
    directory = short_temporary_directory("vmcheck.")
    unittest.addModuleCleanup(subprocess.run, ["rm", "-rf", directory])
    tokens = unittest.enterModuleContext(TokenServer())
    accounts = {f"user{n}": PASSWORD for n in range(60)}
    rig = unittest.enterModuleContext(MailRig(accounts, Dovecot(extra=tokens.dovecot(directory))))
    users = iter(rig.users)


class LineServer:
    """Greets, and answers each line by a function of it: a text, or None to say nothing. `context`: by TLS from
    the first byte."""

    def __init__(self, greeting, answer=lambda line: None, address=("127.0.0.1", 0), context=None):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError):
                    talk = context.wrap_socket(self.request, server_side=True) if context else self.request
                    lines = talk.makefile("rb")
                    if greeting:
                        talk.sendall(greeting.encode() + b"\r\n")
                    while line := lines.readline():
                        said = answer(line.decode(errors="replace").strip())
                        if said:
                            talk.sendall(said.encode() + b"\r\n")

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

        self._server = Server(address, Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def imap_saying(answers, capabilities="IMAP4rev1 AUTH=PLAIN"):
    """An IMAP server that answers commands as `answers` has it, None not at all, and the rest with OK."""

    def answer(line):
        tag, _, rest = line.partition(" ")
        verb = rest.split(" ")[0].upper()
        if verb == "CAPABILITY":
            return f"* CAPABILITY {capabilities}\r\n{tag} OK done"
        if verb == "AUTHENTICATE" and len(rest.split(" ")) == 2:
            return "+ "
        if not rest:  # what SASL wants
            return f"x {answers['AUTHENTICATE']}"
        said = answers.get(verb, "OK done")
        return said and f"{tag} {said}"

    return answer


class CheckTestCase(vmunit.TestCase):
    def box(self, unit=None, mode="All Folders", **options):
        return Box(self, unit or self.unit(), rig, "101", next(users), mode, options)

    def check(self, box, *arguments, status=0, seconds=10, **options):
        """The steps as they are told to scripts."""
        if options:
            box.unit.set(box.number, **options)
        command = ("mailbox", "check", box.number, "--json", "--timeout", seconds, *arguments)
        return json.loads(box.unit.config(*command, status=status).stdout)

    def failed(self, box, step, *arguments, status=78, seconds=10, **options):
        """The one step that fails, which ends its server's part."""
        steps = self.check(box, *arguments, status=status, seconds=seconds, **options)
        failures = [one for one in steps if not one["ok"]]
        self.assertEqual([step], [one["step"] for one in failures], steps)
        [failure] = failures
        self.assertTrue(failure["text"].endswith("."), failure)
        self.assertTrue(failure["hint"], failure)
        return failure

    def assert_advice(self, failure, wrong, change):
        self.assertIn(wrong, failure["text"])
        self.assertIn(change, failure["hint"])

    def smtp(self, script, **options):
        """A mailbox whose SMTP server is a scripted one."""
        server = self.enterContext(ScriptedSmtp(script))
        return self.box(Smtp_Port=server.port, Smtp_SSL="No", Allow_Cleartext_Password="Yes", **options)

    def imap(self, server, **options):
        server = self.enterContext(server)
        return self.box(Imap4_Port=server.port, Imap4_SSL="No", Allow_Cleartext_Password="Yes", **options)


class WorksTest(CheckTestCase):
    def test_every_step_of_both_servers(self):
        box = self.box()
        steps = self.check(box)
        smtp = [one["step"] for one in steps if one["protocol"] == "SMTP"]
        imap = [one["step"] for one in steps if one["protocol"] == "IMAP"]
        self.assertEqual(STEPS, smtp)
        self.assertEqual(sorted([*STEPS, "folder", "idle", "synchronisation"]), sorted(imap))
        self.assertTrue(all(one["ok"] and one["server"] == "localhost" for one in steps), steps)
        said = {one["step"]: one["text"] for one in steps if one["protocol"] == "SMTP"}
        self.assertIn("certificate for localhost, 127.0.0.1, by \"vmemail test CA\", till ", said["tls"])
        self.assertIn("AUTH PLAIN", said["capabilities"])
        self.assertIn(box.user, said["login"])

    def test_a_line_a_step_for_people(self):
        box = self.box()
        said = box.unit.config("mailbox", "check", box.number).stdout
        for step in ("DNS", "TCP", "TLS", "greeting", "capabilities", "login", "folder", "IDLE"):
            self.assertRegex(said, rf"(?m)^  {step} +(ok|note) ")
        self.assertIn("mailbox 101 works: mails can be handed to localhost", said)

    def test_nothing_is_made_or_sent(self):
        box = self.box()
        steps = self.check(box)
        [folder] = [one for one in steps if one["step"] == "folder"]
        self.assertIn('"Voice Mail Messages" is not there', folder["text"])
        with rig.imap(box.user) as account:
            listed = account.list()[1]
        self.assertFalse([line for line in listed if b"Voice Mail" in line])
        self.assertEqual([], rig.mails(box.user))
        self.assertEqual({}, box.messages())

    def test_a_test_mail(self):
        box = self.box()
        [sent] = [one for one in self.check(box, "--send") if one["step"] == "send"]
        self.assertIn(rig.address(box.user), sent["text"])
        [mail] = rig.wait_for_mail(box.user, 1)
        self.assertEqual("Test of voice mailbox 101", mail["Subject"])
        self.assertIsNone(mail["X-VM-Message-Id"])
        # It is none of the unit's, now and later.
        box.sync()
        self.assertEqual({}, box.messages())

    def test_a_maildrop(self):
        unit = self.unit("libsmtppop3.so")
        box = self.box(unit)
        options = {"Pop3_Server": rig.host, "Pop3_Port": rig.ports["pop3"], "Pop3_SSL": "STARTTLS"}
        steps = self.check(box, Pop3_Account=box.user, Pop3_Password=rig.users[box.user], **options)
        self.assertEqual([*STEPS, "folder"], [one["step"] for one in steps if one["protocol"] == "POP3"])
        failure = self.failed(box, "login", status=77, Pop3_Password="another")
        self.assert_advice(failure, "refused Pop3 Account", '"Pop3 Password=-"')

    def test_what_is_missing_costs(self):
        box = self.box()
        rig.vary(without={"IDLE", "CONDSTORE", "QRESYNC", "MOVE"})
        self.addCleanup(rig.vary)
        said = {one["step"]: one for one in self.check(box) if one["protocol"] == "IMAP"}
        self.assertIn("every 20 seconds", said["idle"]["hint"])
        self.assertEqual("UIDPLUS", said["synchronisation"]["text"])
        self.assertIn("no MOVE", said["synchronisation"]["hint"])

    def test_integration_that_is_off_is_a_note(self):
        steps = self.check(self.box(), Email_Integration="No")
        self.assertEqual("options", steps[0]["step"])
        self.assertTrue(steps[0]["ok"])
        self.assertIn("Email Integration is No", steps[0]["hint"])
        self.assertIn("idle", [one["step"] for one in steps])


class PortsTest(CheckTestCase):
    def test_no_such_name(self):
        failure = self.failed(self.box(), "dns", Smtp_Server="no-such-host.invalid")
        self.assert_advice(failure, "no server called no-such-host.invalid", '"Smtp Server=')

    def test_nothing_listens(self):
        failure = self.failed(self.box(), "tcp", status=69, Imap4_Server="127.0.0.78", Imap4_Port=free_port())
        self.assert_advice(failure, "Nothing listens", "Imap4 Server")

    def test_a_usual_port_answers(self):
        # The port is one of all addresses of this machine: this one nobody else has.
        with LineServer("220 x ESMTP", address=("127.0.0.77", 587)):
            failure = self.failed(self.box(), "tcp", Smtp_Server="127.0.0.77", Smtp_Port=free_port())
        self.assert_advice(failure, "but at 587", '"Smtp Port=None" "Smtp SSL=STARTTLS"')

    def test_tls_to_a_plain_port(self):
        failure = self.failed(self.box(), "tls", Smtp_SSL="Yes")
        self.assert_advice(failure, "it offers STARTTLS", '"Smtp SSL=STARTTLS"')

    def test_plain_to_a_tls_port(self):
        failure = self.failed(self.box(), "greeting", seconds=2, Imap4_SSL="STARTTLS")
        self.assert_advice(failure, "speaks TLS from the first byte", '"Imap4 SSL=Yes"')

    def test_starttls_that_is_not_offered(self):
        box = self.box(Imap4_Server=PLAIN_HOST, Imap4_Port=rig.ports["imap"], Imap4_SSL="STARTTLS")
        self.assert_advice(self.failed(box, "tls"), "offers no STARTTLS", '"Imap4 SSL=No"')

    def test_a_silent_server(self):
        box = self.imap(LineServer(""))
        failure = self.failed(box, "greeting", status=69, seconds=1)
        self.assert_advice(failure, "says nothing", "Imap4 Port")

    def test_the_other_protocol(self):
        box = self.box()
        failure = self.failed(box, "greeting", Imap4_Port=rig.ports["pop3s"])
        self.assert_advice(failure, "speaks POP3, not IMAP", '"Imap4 Port=None"')
        failure = self.failed(box, "greeting", Imap4_Port=rig.ports["starttls"], Imap4_SSL="No")
        self.assert_advice(failure, "speaks SMTP, not IMAP", '"Imap4 Port=None"')

    def test_no_mail_server(self):
        failure = self.failed(self.imap(LineServer("SSH-2.0-OpenSSH_9.2")), "greeting")
        self.assert_advice(failure, "no mail server (SSH-2.0", '"Imap4 Port=None"')

    def test_turned_away(self):
        box = self.imap(LineServer("* BYE too many connections"))
        self.assert_advice(self.failed(box, "greeting", status=75), "too many connections", "try again later")

    def test_what_a_server_says_is_one_harmless_line(self):
        box = self.imap(LineServer("* BYE \x1b[2J\x07 \u202egnp.exe"))
        done = box.unit.config("mailbox", "check", box.number, status=75).stdout
        self.assertNotRegex(done, "[\x00-\x09\x0b-\x1f\u202e]")

    def test_a_reply_without_words(self):
        server = self.enterContext(LineServer("220 hello", lambda line: "250-hello\r\n250-AUTH PLAIN\r\n250"))
        box = self.smtp({}, Smtp_Authentication="None")
        capabilities = [one for one in self.check(box, Smtp_Port=server.port) if one["step"] == "capabilities"]
        self.assertTrue(capabilities[0]["ok"])
        self.assertIn("AUTH PLAIN", capabilities[0]["text"])

    def test_words_without_end(self):
        endless = "* CAPABILITY X\r\n" * 1000
        box = self.imap(LineServer("* OK hello", lambda _: endless))
        self.assert_advice(self.failed(box, "capabilities", status=69), "without end", "Try again")


class CertificatesTest(CheckTestCase):
    def test_another_name(self):
        failure = self.failed(self.box(), "tls", Smtp_Port=rig.ports["starttls-badname"])
        self.assert_advice(failure, "is for elsewhere.example", '"Smtp Server=elsewhere.example"')

    def test_an_unknown_authority(self):
        failure = self.failed(self.box(), "tls", Smtp_Port=rig.ports["tls-unknown"], Smtp_SSL="Yes")
        self.assert_advice(failure, '"a CA nobody trusts"', '"TLS CA File=')

    def test_self_signed(self):
        made = subprocess.run(
            [
                *"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3".split(),
                *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
                *("-keyout", self.files / "key.pem", "-out", self.files / "self.pem"),
            ],
            capture_output=True,
        )
        self.assertEqual(0, made.returncode, made.stderr)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.files / "self.pem", self.files / "key.pem")
        with LineServer("* OK hello", context=context) as server:
            failure = self.failed(self.box(), "tls", Imap4_Port=server.port)
        self.assert_advice(failure, "signed by nobody but itself", '"TLS CA File=')

    def test_the_password_is_held_back(self):
        failure = self.failed(self.box(), "login", Imap4_Port=rig.ports["imap"], Imap4_SSL="No")
        self.assert_advice(failure, "The password is not sent", '"Imap4 SSL=STARTTLS"')


class LoginTest(CheckTestCase):
    def test_a_wrong_password(self):
        failure = self.failed(self.box(), "login", status=77, Smtp_Password="another")
        self.assert_advice(failure, "refused Smtp Account", '"Smtp Password=-"')

    def test_words_of_providers(self):
        cases = (
            (
                "534-5.7.9 Application-specific password required. For more information, go to\r\n"
                "534 5.7.9 https://support.google.com/mail/?p=InvalidSecondFactor x.12 - gsmtp",
                "Google does not take the account's own password",
                "vmconfig mailbox authorize 101 --provider google",
            ),
            (
                "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
                "takes no passwords from programs",
                "vmconfig mailbox authorize 101 --provider microsoft",
            ),
            (
                "530 5.7.0 Must issue a STARTTLS command first",
                "wants TLS before a login",
                '"Smtp SSL=STARTTLS"',
            ),
        )
        script = {"EHLO": "250-x\r\n250 AUTH PLAIN LOGIN"}
        box = self.smtp(script)
        for words, wrong, change in cases:
            with self.subTest(words):
                server = self.enterContext(ScriptedSmtp({**script, "AUTH": words}))
                status = 78 if words.startswith("530") else 77
                failure = self.failed(box, "login", status=status, Smtp_Port=server.port)
                self.assert_advice(failure, wrong, change)

    def test_a_server_that_cannot_just_now(self):
        box = self.smtp({"EHLO": "250-x\r\n250 AUTH PLAIN", "AUTH": "454 4.7.0 Temporary failure"})
        self.assert_advice(self.failed(box, "login", status=75), "454 4.7.0", "Try again later")

    def test_no_imap_for_the_account(self):
        answer = imap_saying({"AUTHENTICATE": "NO [ALERT] IMAP access is disabled for your domain."})
        box = self.imap(LineServer("* OK hello", answer))
        failure = self.failed(box, "login", status=77)
        self.assert_advice(failure, "IMAP is switched off for this account", "libsmtppop3.so")

    def test_what_comes_behind_the_login_is_not_its_fault(self):
        answer = imap_saying({"LIST": None, "STATUS": None}, "IMAP4rev1 AUTH=PLAIN SASL-IR")
        box = self.imap(LineServer("* OK hello", answer))
        failure = self.failed(box, "folder", status=69, seconds=1)
        self.assert_advice(failure, "broke off, or went silent", "who runs the server")

    def test_an_account_that_cannot_just_now(self):
        box = self.imap(LineServer("* OK hello", imap_saying({"AUTHENTICATE": "NO [UNAVAILABLE] later"})))
        self.assert_advice(self.failed(box, "login", status=75), "cannot log in anybody just now", "Try again later")

    def test_login_disabled(self):
        answer = imap_saying({}, "IMAP4rev1 LOGINDISABLED")
        failure = self.failed(self.imap(LineServer("* OK hello", answer)), "login")
        self.assert_advice(failure, "LOGINDISABLED", '"Imap4 SSL=Yes"')

    def test_mechanisms_that_are_not_offered(self):
        failure = self.failed(self.smtp({"EHLO": "250-x\r\n250 AUTH XOAUTH2"}), "login")
        self.assert_advice(failure, "only tokens", "vmconfig mailbox authorize 101")
        box = self.smtp({"EHLO": "250-x\r\n250 AUTH CRAM-MD5"}, Smtp_Authentication="Plain")
        self.assert_advice(self.failed(box, "login"), "it offers CRAM-MD5", '"Smtp Authentication=Auto"')

    def test_options_that_are_missing(self):
        failure = self.failed(self.box(), "options", Imap4_Account="")
        self.assert_advice(failure, "Imap4 Account is not set", '"Imap4 Account=')

    def test_a_mailbox_that_is_not_there(self):
        done = self.unit().config("mailbox", "check", "999", status=66)
        self.assertEqual("", done.stdout)
        self.assertEqual(1, done.stderr.count("\n"), done.stderr)

    def test_what_is_refused_of_a_mail(self):
        cases = (
            ({"MAIL": "553 5.1.8 not yours"}, "takes no mail from", "Smtp Account", 78),
            ({"RCPT": "550 5.1.1 unknown"}, "takes no mail for", "Email Name", 78),
            ({"dot": "554 5.7.1 looks like spam"}, "looks like spam", "words", 69),
            ({"dot": ScriptedSmtp.DROP}, "the answer never came", "arrived", 75),
        )
        for script, wrong, change, status in cases:
            with self.subTest(wrong):
                box = self.smtp(script, Smtp_Authentication="None")
                self.assert_advice(self.failed(box, "send", "--send", status=status), wrong, change)


class TokensTest(CheckTestCase):
    def token_box(self):
        return self.box(
            Smtp_Authentication="XOAuth2",
            Smtp_Password="",
            Imap4_Authentication="XOAuth2",
            Imap4_Password="",
            **tokens.options(),
        )

    def grant(self, box):
        command = ("mailbox", "authorize", box.number, "--refresh-token", "-")
        box.unit.run("vmconfig", *command, stdin=tokens.grant(box.user) + "\n")

    def test_none_was_granted(self):
        steps = self.check(self.token_box(), status=77)
        failures = [one for one in steps if not one["ok"]]
        self.assertEqual(["login", "login"], [one["step"] for one in failures])
        for failure in failures:
            self.assert_advice(failure, "no token to log in with", "vmconfig mailbox authorize 101")

    def test_granted_then_expired(self):
        box = self.token_box()
        self.grant(box)
        self.assertTrue(all(one["ok"] for one in self.check(box)))
        # One that has expired is renewed as for the agent.
        tokens.expire()
        self.assertTrue(all(one["ok"] for one in self.check(box)))

    def test_revoked(self):
        box = self.token_box()
        self.grant(box)
        tokens.revoke()
        steps = self.check(box, status=77)
        for failure in (one for one in steps if not one["ok"]):
            self.assertIn("vmconfig mailbox authorize 101", failure["hint"])


class InterruptedTest(CheckTestCase):
    def test_a_signal_ends_it_at_once(self):
        server = self.enterContext(LineServer(""))
        box = self.imap(server)
        command = box.unit.command("vmconfig", "mailbox", "check", box.number, "--timeout", "600")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            # Each step is seen as it ends, also by who reads a pipe.
            for line in process.stdout:
                if "(IMAP)" in line:
                    break
            [child] = vmunit.children(process.pid)
            process.send_signal(signal.SIGINT)
            self.assertEqual(-signal.SIGINT, process.wait(vmunit.COMMAND_SECONDS))
        wait_until("end of the child", lambda: not pathlib.Path(f"/proc/{child}/cmdline").exists() or self.over(child))

    @staticmethod
    def over(pid):
        """Whether a process whose parent is gone has ended."""
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        except OSError:
            return True


if __name__ == "__main__":
    vmunit.main()
