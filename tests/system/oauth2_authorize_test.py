#!/usr/bin/env python3
"""vmconfig mailbox authorize: every way to get access to an account, what goes wrong on it, and that no
secret is seen. And vmoauth2, which meets token servers that mean no good."""

import contextlib
import json
import os
import signal
import ssl
import subprocess
import threading
import unittest
import urllib.parse

import vmunit
from mailrig import Certificates, short_temporary_directory
from passwords import PASSWORD
from tokenserver import CLIENT, DROP, SECRET, TokenServer

server = None


def setUpModule():
    global server
    server = unittest.enterModuleContext(TokenServer())


class TestCase(vmunit.TestCase):
    def setUp(self):
        super().setUp()
        server.restore()
        self.unit_ = self.unit()
        self.unit_.config("mailbox", "create", "101")
        self.unit_.set("101", Email_Name="ann@example.com")

    def configure(self, **options):
        self.unit_.set(
            "101",
            Smtp_SSL="Yes",
            Smtp_Authentication="XOAuth2",
            Smtp_Account="ann",
            **server.options(**options),
        )

    def authorize(self, *arguments, secrets=(), status=0):
        return self.unit_.run(
            "vmconfig",
            *("mailbox", "authorize", "101", *arguments),
            status=status,
            stdin="".join(f"{line}\n" for line in secrets),
        )

    @contextlib.contextmanager
    def authorizing(self, *arguments):
        """The command while it runs."""
        process = subprocess.Popen(
            self.unit_.command("vmconfig", "mailbox", "authorize", "101", *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()

    def tokens(self):
        return self.unit_.root / "var/oauth2/101"

    def ini(self):
        return (self.unit_.root / "etc/mailboxes/101.ini").read_text()

    def assert_nothing_changed(self, before):
        self.assertEqual(before, self.ini())
        self.assertFalse(self.tokens().exists())


class AuthorizeTest(TestCase):
    def test_by_a_device_code(self):
        self.configure()
        with self.authorizing() as process:
            server.wait_until_asked(1)  # for tokens: the code was printed
            server.enter_code("ann")
            out, err = process.communicate(timeout=60)
        self.assertEqual(0, process.returncode, err)
        self.assertIn(f"of ann, open in any browser\n\n    {server.url('enter')}\n\nand enter the code\n\n    WDJB-MJHT", out)
        self.assertIn("access granted by Other, to be used for ann", out)
        self.assertRegex(out, r"the token is valid until \d{4}-\d\d-\d\dT[\d:.]+Z")
        self.assertNotIn(PASSWORD, out + err)
        self.assertEqual(0o600, self.tokens().stat().st_mode & 0o777)
        self.assertEqual(0o700, self.tokens().parent.stat().st_mode & 0o777)

    def test_the_server_sets_the_pace(self):
        self.configure()
        with self.authorizing("--device") as process:
            server.wait_until_asked(1)
            server.enter_code("slow_down")
            server.wait_until_asked(2)
            server.answers["token"] = DROP  # out of reach for a moment
            server.wait_until_asked(3)
            server.answers.clear()
            server.enter_code("ann")
            out, err = process.communicate(timeout=60)
        self.assertEqual(0, process.returncode, err)
        self.assertIn("asking again", err)

    def test_a_person_says_no_or_nothing(self):
        self.configure()
        before = self.ini()
        for answer, words in (("access_denied", "access_denied"), ("expired_token", "expired_token")):
            with self.subTest(answer), self.authorizing() as process:
                server.wait_until_asked(1)
                server.enter_code(answer)
                _, err = process.communicate(timeout=60)
                self.assertEqual(77, process.returncode)
                self.assertIn(words, err)
            server.requests.clear()
        server.device["expires_in"] = 1
        self.assertIn("nobody has entered the code in time", self.authorize(status=77).stderr)
        self.assert_nothing_changed(before)

    def test_given_up(self):
        self.configure()
        before = self.ini()
        with self.authorizing("--tenant", "example.com", "--provider", "other") as process:
            server.wait_until_asked(1)
            process.send_signal(signal.SIGINT)
            self.assertEqual(-signal.SIGINT, process.wait(60))
        self.assert_nothing_changed(before)

    def test_by_a_browser(self):
        self.configure(OAuth2_Authorize_Endpoint=server.url("page"))
        process = subprocess.Popen(
            self.unit_.command("vmconfig", "mailbox", "authorize", "101", "--browser"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not (line := process.stdout.readline()).startswith(server.url("page")):
            self.assertTrue(line, "no address")
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(line.strip()).query))
        self.assertEqual("S256", asked["code_challenge_method"])
        code = urllib.parse.urlencode({"code": server.code("ann"), "state": asked["state"]})
        out, err = process.communicate(f"{asked['redirect_uri']}/?{code}\n", timeout=60)
        self.assertEqual(0, process.returncode, err)
        self.assertIn("access granted", out)
        [fields] = [fields for name, fields in server.requests if name == "token"]
        self.assertEqual(asked["redirect_uri"], fields["redirect_uri"])
        self.assertGreaterEqual(len(fields["code_verifier"]), 43)

    def test_by_a_refresh_token(self):
        self.configure()
        before = self.ini()
        self.assertIn("invalid_grant", self.authorize("--refresh-token", "-", secrets=["wrong"], status=77).stderr)
        self.assertIn("it is no token", self.authorize("--refresh-token", "-", secrets=["a b"], status=64).stderr)
        self.assert_nothing_changed(before)
        server.rotate = True
        self.authorize("--refresh-token", "-", secrets=["  " + server.grant("ann")])
        self.assertTrue(self.tokens().exists())

    def test_by_its_own_name(self):
        server.application = "ann"
        self.configure(OAuth2_Client_Secret="")
        before = self.ini()
        self.assertIn("OAuth2 Client Secret", self.authorize("--client-credentials", status=78).stderr)
        wrong = self.authorize("--client-credentials", "--client-secret", "-", secrets=["wrong"], status=78)
        self.assertIn("does not take this client: invalid_client", wrong.stderr)
        self.assert_nothing_changed(before)
        self.authorize("--client-credentials", "--client-secret", "-", secrets=[SECRET])
        self.assertIn("OAuth2 Flow = Client Credentials", self.ini())
        self.assertNotIn(SECRET, self.ini())
        # What is set need not be said again.
        self.authorize()

    def test_secrets_are_no_arguments(self):
        self.configure()
        for option in ("--refresh-token", "--client-secret"):
            done = subprocess.run(
                self.unit_.command("vmconfig", "mailbox", "authorize", "101", option, SECRET),
                capture_output=True,
                text=True,
            )
            self.assertEqual(64, done.returncode)
            self.assertNotIn(SECRET, done.stdout + done.stderr)
            self.assertIn("every process can read", done.stderr)

    def test_wrong_use(self):
        self.assertIn("OAuth2 Provider is None", self.authorize(status=64).stderr)
        self.assertIn("there is no provider yahoo", self.authorize("--provider", "yahoo", status=64).stderr)
        self.assertIn("one way", self.authorize("--device", "--browser", status=64).stderr)
        self.assertIn("OAuth2 Client ID", self.authorize("--provider", "microsoft", status=78).stderr)
        google = self.authorize("--provider", "google", "--client-id", "x", "--device", status=64).stderr
        self.assertIn("no access to mail by a device code; give --browser", google)
        self.assertIn("there is no such mailbox", self.unit_.config("mailbox", "authorize", "102", status=66).stderr)

    def test_a_provider_sets_its_servers(self):
        self.unit_.config("mailbox", "set", "101", "--provider", "google", "OAuth2 Client ID=x", "Imap4 Account=bob")
        shown = json.loads(self.unit_.config("mailbox", "show", "101", "--json").stdout)["options"]
        self.assertEqual("smtp.gmail.com", shown["Smtp Server"])
        self.assertEqual("ann@example.com", shown["Smtp Account"])
        self.assertEqual("bob", shown["Imap4 Account"])
        self.assertEqual("XOAuth2", shown["Imap4 Authentication"])
        # As README says, in one step.
        self.unit_.config("mailbox", "create", "103")
        self.unit_.config(
            *("mailbox", "set", "103", "Email Name=bob@example.com", "Email Integration=Yes"),
            *("--provider", "microsoft", "OAuth2 Client ID=x"),
        )
        shown = json.loads(self.unit_.config("mailbox", "show", "103", "--json").stdout)["options"]
        self.assertEqual("bob@example.com", shown["Imap4 Account"])
        # With the way in: here the token server of these tests in the place of the large one.
        self.unit_.set("101", OAuth2_Token_Endpoint=server.url("token"), OAuth2_Client_ID=CLIENT)
        self.authorize(
            *("--provider", "Microsoft", "--client-secret", "-", "--refresh-token", "-"),
            secrets=[SECRET, server.grant("ann")],
        )
        shown = json.loads(self.unit_.config("mailbox", "show", "101", "--json").stdout)["options"]
        self.assertEqual("smtp.office365.com", shown["Smtp Server"])
        self.assertEqual("(set)", shown["OAuth2 Client Secret"])
        self.assertIn("nothing to set", self.unit_.config("mailbox", "set", "101", status=64).stderr)

    def test_forgotten(self):
        self.configure()
        self.assertIn("there were no tokens", self.authorize("--forget").stdout)
        self.authorize("--refresh-token", "-", secrets=[server.grant("ann")])
        self.assertIn("revoked there", self.authorize("--forget").stdout)
        self.assertFalse(self.tokens().exists())
        self.authorize("--refresh-token", "-", secrets=[server.grant("ann")])
        self.unit_.config("mailbox", "delete", "101")
        self.assertFalse(self.tokens().exists())

    def test_no_refresh_token_no_grant(self):
        """A provider that gives none would leave the mailbox without access in an hour."""
        self.configure()
        before = self.ini()
        server.answers["token"] = (200, {"access_token": "a", "token_type": "bearer", "expires_in": 3600})
        server.device["interval"] = 1
        told = self.authorize("--device", status=78).stderr
        self.assertIn("no refresh token", told)
        self.assert_nothing_changed(before)

    def test_a_code_page_that_is_none(self):
        self.configure()
        server.answers["device"] = (
            200,
            {"device_code": "d", "user_code": "\x1b[2J", "verification_uri": "javascript:alert(1)", "expires_in": 10},
        )
        told = self.authorize(status=78)
        self.assertIn("no https:// address", told.stderr)
        self.assertNotIn("\x1b", told.stdout + told.stderr)


class HostileServerTest(TestCase):
    """What a token server, or who has taken it over, may answer."""

    def ask(self, endpoint="token", ca_file="", url=None, environment=None):
        request = f"url={url or server.url(endpoint)}\nca_file={ca_file}\nbody=client_secret={SECRET}\n"
        done = subprocess.run(
            [str(self.unit_.build / "bin/vmoauth2")],
            input=request,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **(environment or {})},
        )
        self.assertNotIn(SECRET, done.stdout + done.stderr)
        return done

    def test_answers(self):
        huge = json.dumps({"access_token": "x" * 100_000}).encode()
        good = {"access_token": "token", "token_type": "Bearer", "expires_in": 3600}
        for name, answer, status, part in (
            ("good", (200, good), 0, "access_token=token\n"),
            ("a number in a text", (200, {**good, "expires_in": "3599"}), 0, "expires_in=3599\n"),
            ("HTML", (200, b"<html>"), 69, "no JSON object"),
            ("an array", (200, b"[1]"), 69, "no JSON object"),
            ("nothing", (200, b""), 69, "no JSON object"),
            ("deep", (200, b"[" * 60_000), 69, "no JSON object"),
            ("HTML of trouble", (503, b"<html>"), 0, "status=503\n"),
            ("huge", (200, huge), 69, "longer than"),
            ("a long token", (200, {**good, "access_token": "x" * 9000}), 69, "makes no sense"),
            ("a token of two lines", (200, {**good, "access_token": "a\nrefresh_token=b"}), 69, "makes no sense"),
            ("an endless life", (200, {**good, "expires_in": 10**15}), 69, "makes no sense"),
            ("no life", (200, {**good, "expires_in": -1}), 69, "makes no sense"),
            ("other types", (200, {"access_token": ["x"], "scope": {"a": 1}, "expires_in": None}), 0, "status=200\n"),
            (
                "words that move the cursor",
                (400, {"error": "no\x1b[2J", "error_description": "a\r\nstatus=200\naccess_token=x\u202eb"}),
                0,
                "error=no [2J\nerror_description=a  status=200 access_token=xb\n",
            ),
            ("no UTF-8", (400, b'{"error": "\xff\xfe"}'), 0, "status=400\n"),
            ("a redirection", (302, b"", {"Location": server.url("elsewhere")}), 0, "status=302\n"),
            ("a closed connection", DROP, 69, "Empty reply"),
            ("many headers", (200, good, {f"X-{n}": "y" * 900 for n in range(400)}), 69, ""),
        ):
            with self.subTest(name):
                server.answers["token"] = answer
                done = self.ask()
                self.assertEqual(status, done.returncode, done)
                self.assertIn(part, done.stdout if status == 0 else done.stderr)
                self.assertNotIn("\x1b", done.stdout + done.stderr)
                self.assertEqual(0, server.asked("elsewhere"))

    def test_one_that_never_answers(self):
        gone = threading.Event()
        self.addCleanup(gone.set)
        server.answers["token"] = lambda _: gone.wait(60) and DROP
        self.configure()
        told = self.authorize("--refresh-token", "-", secrets=["x"], status=69).stderr
        self.assertIn("timed out", told)

    def test_what_is_asked_is_asked_nowhere_else(self):
        """Neither the environment nor a redirection sends it elsewhere, and never in clear to another machine."""
        with TokenServer() as other:
            proxy = f"http://127.0.0.1:{other.port}"
            environment = {name: proxy for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")}
            server.answers["token"] = (307, b"", {"Location": other.url("token")})
            self.assertIn("status=307", self.ask(environment=environment).stdout)
            self.assertEqual([], other.requests)
        for url in ("http://example.com/token", "file:///etc/passwd", "ftp://127.0.0.1/x", "https://a@b/"):
            self.assertEqual(65, self.ask(url=url).returncode, url)

    def test_certificates(self):
        directory = short_temporary_directory("vmcerts.")
        self.addCleanup(subprocess.run, ["rm", "-rf", directory])
        certificates = Certificates(directory / "tls")
        for name, ca, works in (("good", "ca", True), ("badname", "ca", False), ("good", "stranger", False), ("good", "", False)):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates.path(f"{name}.pem"), certificates.path(f"{name}.key"))
            with self.subTest(f"{name} by {ca}"), TokenServer(tls=context) as secure:
                done = self.ask(url=secure.url("token"), ca_file=certificates.path(f"{ca}.pem") if ca else "")
                self.assertEqual(0 if works else 69, done.returncode, done)
                self.assertEqual(1 if works else 0, len(secure.requests))
                if not works:
                    self.assertIn("SSL", done.stderr)

    def test_requests_that_are_none(self):
        for text in ("", "url=\n", "what\n", "url=https://a/\nurl=https://b/\n", "x" * 200_000):
            done = subprocess.run(
                [str(self.unit_.build / "bin/vmoauth2")], input=text, capture_output=True, text=True, timeout=60
            )
            self.assertEqual(65, done.returncode, text[:20])


if __name__ == "__main__":
    vmunit.main()
