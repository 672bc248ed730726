#!/usr/bin/env python3
"""The real programs push to a real Postfix and Dovecot: every kind of connection, good and bad
certificates, authentication, and what the mails look like to Python's own parser."""

import datetime
import email
import io
import subprocess
import unittest
import wave

import media
import passwords
import vmunit
from mailrig import MailRig, free_port
from passwords import PASSWORD
from scriptedsmtp import ScriptedSmtp

ODD_PASSWORD = 'Pa"ss #;=w\\ord 1' + PASSWORD
rig = None
users = None


def setUpModule():
    global rig, users
    rig = unittest.enterModuleContext(MailRig({f"user{n}": ODD_PASSWORD for n in range(100)}))
    users = iter(rig.users)


class PushTest(vmunit.TestCase):
    def setUp(self):
        super().setUp()
        self.user = next(users)

    def pushed(self, security, plugin="libsmtpimap4.so", **options):
        """One recording through a mailbox with these options; returns the mail that arrived."""
        unit = self.unit(plugin)
        unit.mailbox("101", rig, self.user, security, **options)
        identity = unit.add("101", media.recording("vm-intro"))
        unit.once()
        [mail] = rig.wait_for_mail(self.user, 1)
        delivery = unit.delivery(identity)
        self.assertEqual("sent", delivery["state"])
        self.assertEqual(1, delivery["attempts"])
        self.assertRegex(delivery["last_reply"], r"250 2\.0\.0 Ok: queued as")
        self.assertEqual(identity, mail["X-VM-Message-Id"])
        return mail

    def deferred(self, security, reason, **options):
        """Nothing is sent, the message waits, and `reason` is what both user and history read."""
        unit = self.unit()
        unit.mailbox("101", rig, self.user, security, **options)
        identity = unit.add("101", media.recording("vm-intro"))
        unit.once(status=75)
        delivery = unit.delivery(identity)
        self.assertEqual("deferred", delivery["state"])
        self.assertRegex(delivery["last_reply"], reason)
        self.assertEqual([], rig.mails(self.user))
        return unit

    # ---- connections -----------------------------------------------------------------------------
    def test_cleartext_when_allowed(self):
        self.pushed("cleartext", Allow_Cleartext_Password="Yes")

    def test_cleartext_password_is_kept_back_otherwise(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user, "cleartext", Allow_Cleartext_Password="Yes")
        before = rig.smtp_connections()
        identity = unit.add("101", media.recording("vm-intro"))
        refused = unit.config("mailbox", "set", "101", "Allow Cleartext Password=No", status=78)
        self.assertIn("Allow Cleartext Password", refused.stderr)
        file = unit.root / "etc/mailboxes/101.ini"
        file.write_text(file.read_text().replace("Allow Cleartext Password = Yes", "Allow Cleartext Password = No"))
        unit.once(status=78)
        self.assertEqual("queued", unit.state(identity))
        self.assertEqual(before, rig.smtp_connections())

    def test_starttls(self):
        self.pushed("starttls")
        self.assertIn("with ESMTPSA", self.headers())

    def test_implicit_tls(self):
        self.pushed("tls")
        self.assertIn("with ESMTPSA", self.headers())

    def headers(self):
        """The header of the user's one mail, Received lines of Postfix included."""
        [raw] = rig.mails(self.user)
        return raw.split(b"\r\n\r\n")[0].decode()

    def test_relay_without_authentication(self):
        self.pushed("relay")

    def test_the_pop3_plugin_pushes_too(self):
        self.pushed("starttls", plugin="libsmtppop3.so")

    # ---- certificates ----------------------------------------------------------------------------
    def test_certificate_for_another_name(self):
        self.deferred("tls-badname", "(?i)certificate.*(localhost|name|match)")

    def test_certificate_for_another_name_after_starttls(self):
        self.deferred("starttls-badname", "(?i)certificate.*(localhost|name|match)")

    def test_certificate_of_an_unknown_authority(self):
        self.deferred("tls-unknown", "(?i)certificate.*(issuer|verif|unknown|trust)")

    def test_certificate_of_our_ca_without_knowing_it(self):
        self.deferred("starttls", "(?i)certificate.*(issuer|verif|unknown|trust)", TLS_CA_File="None")

    def test_any_certificate_when_not_verified(self):
        self.pushed("tls-unknown", TLS_Verify="No", Allow_Cleartext_Password="Yes")

    # ---- authentication ----------------------------------------------------------------------------
    def test_plain(self):
        self.pushed("starttls", Smtp_Authentication="Plain")

    def test_login(self):
        self.pushed("starttls", Smtp_Authentication="Login")

    def test_cram_md5(self):
        self.pushed("starttls", Smtp_Authentication="Cram-MD5")

    def test_wrong_password(self):
        unit = self.deferred("starttls", "535 5.7.8", Smtp_Password="wrong")
        self.assertNotIn("wrong", unit.trace())

    def test_no_authentication_offered_is_no_reason_to_go_without(self):
        self.deferred("relay", "(?i)auth", Smtp_Authentication="Plain", Allow_Cleartext_Password="Yes")

    def test_authentication_demanded_but_not_configured(self):
        """What Postfix says then is a 554 at RCPT: a failure by the manual's table; it can be retried."""
        unit = self.unit()
        unit.mailbox("101", rig, self.user, Smtp_Authentication="None")
        identity = unit.add("101", media.recording("vm-intro"))
        unit.once(status=69)
        self.assertEqual("failed", unit.state(identity))
        self.assertIn("RCPT: 554 5.7.1", unit.delivery(identity)["last_reply"])
        unit.set("101", Smtp_Authentication="Auto")
        unit.ctl("queue", "retry", identity)
        unit.once()
        rig.wait_for_mail(self.user, 1)

    # ---- outcomes ----------------------------------------------------------------------------------
    def test_unknown_recipient_fails_for_good(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user, Email_Name=f"nobody@{rig.domain}")
        identity = unit.add("101", media.recording("vm-intro"))
        unit.once(status=69)
        delivery = unit.delivery(identity)
        self.assertEqual("failed", delivery["state"])
        self.assertIn("550 5.1.1 <nobody@example.test>", delivery["last_reply"])
        self.assertIn("RCPT", delivery["last_reply"])
        unit.once()  # nothing is due any more

    def test_refused_connection_is_deferred_and_sent_once_the_server_is_there(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user, Smtp_Port=free_port())
        identity = unit.add("101", media.recording("vm-intro"))
        unit.once(status=75)
        self.assertRegex(unit.delivery(identity)["last_reply"], "(?i)refused")
        unit.once(status=75)  # its time has not come
        self.assertEqual(1, unit.delivery(identity)["attempts"])
        unit.set("101", Smtp_Port=rig.ports["starttls"])
        unit.ctl("queue", "retry", identity)
        unit.once()
        rig.wait_for_mail(self.user, 1)
        self.assertEqual("sent", unit.state(identity))
        self.assertEqual(2, unit.delivery(identity)["attempts"])

    def test_lost_reply_is_uncertain_and_repeated_with_the_same_message_id(self):
        with ScriptedSmtp({"dot": ScriptedSmtp.DROP}) as server:
            unit = self.unit()
            unit.mailbox("101", rig, self.user, "relay", Smtp_Port=server.port)
            identity = unit.add("101", media.recording("vm-intro"))
            unit.once(status=75)
            self.assertEqual("uncertain", unit.state(identity))
            server.script.clear()
            unit.ctl("queue", "retry", identity)
            unit.once()
            self.assertEqual("sent", unit.state(identity))
            first, second = (email.message_from_bytes(m) for m in server.received)
            self.assertEqual(first["Message-ID"], second["Message-ID"])
            self.assertEqual(first["X-VM-Message-Id"], second["X-VM-Message-Id"])

    def test_several_messages_share_a_connection(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user)
        before = rig.smtp_connections()
        sent = {unit.add("101", media.recording("vm-goodbye")) for _ in range(5)}
        unit.once()
        mails = rig.wait_for_mail(self.user, 5)
        self.assertEqual(1, rig.smtp_connections() - before)
        self.assertEqual(sent, {mail["X-VM-Message-Id"] for mail in mails})

    # ---- mailboxes of one server: how many connections there are may be limited, and so is certain ----------
    def test_mailboxes_of_one_account_share_a_connection(self):
        unit = self.unit()
        unit.config("misc", "set", "g_nConnectionsPerServer", "1")
        numbers = [str(number) for number in range(101, 106)]
        for number in numbers:
            unit.mailbox(number, rig, self.user)
        sent = {unit.add(number, media.recording("vm-goodbye")) for number in numbers * 2}
        before = rig.smtp_connections()
        unit.once()
        mails = rig.wait_for_mail(self.user, len(sent))
        self.assertEqual(1, rig.smtp_connections() - before)
        self.assertEqual(sent, {mail["X-VM-Message-Id"] for mail in mails})

    def test_mailboxes_of_different_accounts_share_none(self):
        unit = self.unit()
        unit.config("misc", "set", "g_nConnectionsPerServer", "1")
        accounts = [self.user, next(users), next(users)]
        before = rig.smtp_connections()
        for number, user in zip(("101", "102", "103"), accounts):
            unit.mailbox(number, rig, user)
            unit.add(number, media.recording("vm-goodbye"))
        unit.once()
        for number, user in zip(("101", "102", "103"), accounts):
            [mail] = rig.wait_for_mail(user, 1)
            self.assertEqual(number, mail["X-VM-Mailbox"])
        self.assertEqual(3, rig.smtp_connections() - before)

    def test_an_edit_ends_the_sharing(self):
        names = []

        def hello(line):
            names.append(line.split()[1])
            return "250-scripted\r\n250 PIPELINING"

        with ScriptedSmtp({"EHLO": hello}) as server:
            unit = self.unit()
            for number in ("101", "103"):
                unit.mailbox(number, rig, self.user, "relay", Smtp_Port=server.port)
            with unit.agent() as agent:
                agent.wait_for_workers()
                for number, domain in (("101", None), ("103", None), ("103", "unit.example.test")):
                    if domain:
                        unit.set(number, Domain_Name=domain)
                    unit.wait_for_state(unit.add(number, media.recording("vm-goodbye")), "sent")
            self.assertEqual(2, server.connections)
            self.assertEqual("unit.example.test", names[1])
            self.assertNotEqual(names[0], names[1])

    def test_a_shared_connection_that_the_server_closed_is_no_failure(self):
        ends = iter(("250 2.1.0 ok", ScriptedSmtp.DROP))
        with ScriptedSmtp({"MAIL": lambda _: next(ends, "250 2.1.0 ok")}) as server:
            unit = self.unit()
            for number in ("101", "103"):
                unit.mailbox(number, rig, self.user, "relay", Smtp_Port=server.port)
            with unit.agent() as agent:
                agent.wait_for_workers()
                for number in ("101", "103"):
                    identity = unit.add(number, media.recording("vm-goodbye"))
                    unit.wait_for_state(identity, "sent")
                    self.assertEqual(1, unit.delivery(identity)["attempts"])
            self.assertEqual(2, server.connections)
            self.assertEqual(2, len(server.messages))

    def test_an_idle_connection_is_not_kept_for_long(self):
        with ScriptedSmtp() as server:
            unit = self.unit()
            unit.mailbox("101", rig, self.user, "relay", Smtp_Port=server.port)
            with unit.agent():
                unit.wait_for_state(unit.add("101", media.recording("vm-goodbye")), "sent")
                self.assertFalse(server.reached("QUIT").is_set())
                self.assertTrue(server.reached("QUIT").wait(20))

    def test_once_for_one_mailbox_leaves_the_others(self):
        unit = self.unit()
        other = next(users)
        unit.mailbox("101", rig, self.user)
        unit.mailbox("102", rig, other)
        first, second = (unit.add(n, media.recording("vm-goodbye")) for n in ("101", "102"))
        unit.once("--mailbox", "102")
        rig.wait_for_mail(other, 1)
        self.assertEqual("queued", unit.state(first))
        self.assertEqual("sent", unit.state(second))

    def test_dry_run_touches_nothing(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user)
        identity = unit.add("101", media.recording("vm-goodbye"))
        before = rig.smtp_connections()
        said = unit.run("vmemaild", "--dry-run").stdout
        self.assertIn(identity, said)
        self.assertIn("send", said)
        self.assertEqual(before, rig.smtp_connections())
        self.assertEqual(("queued", 0), (unit.state(identity), unit.delivery(identity)["attempts"]))

    # ---- the mail ------------------------------------------------------------------------------------
    def no_defects(self, mail):
        for part in mail.walk():
            self.assertEqual([], part.defects)
            for name, value in part.items():
                self.assertEqual([], list(getattr(value, "defects", [])), name)

    def test_a_voice_message_arrives_as_recorded(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user, Time_Zone="Europe/Berlin")
        file = media.recording("demo-instruct")
        identity = unit.add(
            "101", file, "voice",
            *("--caller-number", "+49 30 5551234", "--caller-name", 'Jörg "Joe" O\'Neil, Töpfer'),
            *("--received", "2026-03-01T23:30:00Z", "--urgent", "--private"),
        )  # fmt: skip
        unit.once()
        [mail] = rig.wait_for_mail(self.user, 1)
        self.no_defects(mail)
        self.assertEqual("voice-message", mail["Message-Context"])
        self.assertEqual("101", mail["X-VM-Mailbox"])
        self.assertTrue(mail["Message-ID"].startswith(f"<{identity}@"))
        self.assertEqual("2026-03-01T23:30:00+00:00", mail["Date"].datetime.astimezone(datetime.timezone.utc).isoformat())
        self.assertIn("Jörg", mail["Subject"])
        self.assertEqual(rig.address(self.user), mail["To"].addresses[0].addr_spec)
        self.assertEqual("high", mail["Importance"].lower())
        self.assertEqual("private", mail["Sensitivity"].lower())
        text = mail.get_body(("plain",)).get_content()
        self.assertIn(f"[VM:{identity}]", text)
        self.assertIn("Jörg", text)
        [attachment] = mail.iter_attachments()
        self.assertRegex(attachment.get_content_type(), "^audio/(x-)?wav$")
        self.assertTrue(attachment.get_filename().endswith(".wav"))
        self.assertEqual(media.seconds(file), int(attachment["Content-Duration"]))
        content = attachment.get_content()
        with wave.open(io.BytesIO(content)) as got, wave.open(str(file)) as original:
            self.assertEqual(original.getparams(), got.getparams())
            self.assertEqual(original.readframes(10**9), got.readframes(10**9))
        shown = unit.message(identity)
        self.assertLess(abs(media.duration_ms(file) - shown["duration_ms"]), 2)

    def test_a_fax_arrives_page_by_page(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user)
        tiff = self.files / "fax.tif"
        media.write_fax(tiff, 3)
        identity = unit.add("101", tiff, "fax", "--caller-number", "0301234567")
        self.assertEqual(3, unit.message(identity)["pages"])
        unit.once()
        [mail] = rig.wait_for_mail(self.user, 1)
        self.no_defects(mail)
        self.assertEqual("fax-message", mail["Message-Context"])
        [attachment] = mail.iter_attachments()
        self.assertEqual("application/pdf", attachment.get_content_type())
        pdf = self.files / "fax.pdf"
        pdf.write_bytes(attachment.get_content())
        images = subprocess.run(["pdfimages", "-list", pdf], capture_output=True, text=True, check=True)
        pages = [line.split() for line in images.stdout.splitlines()[2:]]
        self.assertEqual(["1", "2", "3"], [page[0] for page in pages])
        self.assertEqual({"ccitt"}, {page[8] for page in pages}, "the G4 data itself")
        for page in pages:
            self.assertLess(abs(int(page[12]) - 204), 3)
            self.assertLess(abs(int(page[13]) - 196), 3)

    def test_a_fax_as_tiff_and_both(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user, Fax_Format="both")
        tiff = self.files / "fax.tif"
        media.write_fax(tiff, 2)
        unit.add("101", tiff, "fax")
        unit.once()
        [mail] = rig.wait_for_mail(self.user, 1)
        parts = {part.get_content_type(): part.get_content() for part in mail.iter_attachments()}
        self.assertEqual({"application/pdf", "image/tiff"}, set(parts))
        self.assertEqual(tiff.read_bytes(), parts["image/tiff"])

    def test_mp3_on_request(self):
        mail = self.pushed("starttls", Voice_Format="mp3")
        [attachment] = mail.iter_attachments()
        self.assertEqual("audio/mpeg", attachment.get_content_type())
        self.assertEqual(0xFF, attachment.get_content()[0])

    def test_the_notice_alone(self):
        unit = self.unit()
        unit.config("misc", "set", "g_bEnableSendMsgAsAttachment", "False")
        unit.mailbox("101", rig, self.user)
        identity = unit.add("101", media.recording("vm-intro"))
        unit.once()
        [mail] = rig.wait_for_mail(self.user, 1)
        self.no_defects(mail)
        self.assertEqual([], list(mail.iter_attachments()))
        self.assertIn(f"[VM:{identity}]", mail.get_body(("plain",)).get_content())

    def test_a_caller_cannot_add_headers_or_recipients(self):
        unit = self.unit()
        victim = next(users)
        unit.mailbox("101", rig, self.user)
        evil = f"x\r\nBcc: {rig.address(victim)}\r\nX-Evil: 1\r\n\r\n<b>body"
        unit.add("101", media.recording("vm-intro"), "voice", "--caller-name", evil, "--caller-number", evil)
        unit.once()
        [mail] = rig.wait_for_mail(self.user, 1)
        self.no_defects(mail)
        self.assertIsNone(mail["Bcc"])
        self.assertIsNone(mail["X-Evil"])
        self.assertEqual([], rig.mails(victim))

    # ---- what is sent at all --------------------------------------------------------------------------
    def test_send_mode_voice(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user, Email_Integration_Send_Mode="Voice")
        media.write_fax(self.files / "fax.tif", 1)
        fax = unit.add("101", self.files / "fax.tif", "fax")
        voice = unit.add("101", media.recording("vm-intro"))
        unit.once()
        [mail] = rig.wait_for_mail(self.user, 1)
        self.assertEqual(voice, mail["X-VM-Message-Id"])
        self.assertEqual(("sent", "off"), (unit.state(voice), unit.state(fax)))

    def test_send_mode_fax(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user, Email_Integration_Send_Mode="Fax")
        media.write_fax(self.files / "fax.tif", 1)
        voice = unit.add("101", media.recording("vm-intro"))
        fax = unit.add("101", self.files / "fax.tif", "fax")
        unit.once()
        [mail] = rig.wait_for_mail(self.user, 1)
        self.assertEqual(fax, mail["X-VM-Message-Id"])
        self.assertEqual(("off", "sent"), (unit.state(voice), unit.state(fax)))

    def test_integration_off_sends_nothing(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user, Email_Integration="No")
        identity = unit.add("101", media.recording("vm-intro"))
        unit.once()
        self.assertEqual("off", unit.state(identity))
        self.assertEqual([], rig.mails(self.user))

    def test_master_switch_off_sends_nothing(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user)
        unit.config("misc", "set", "g_bUseEmailIntegration", "False")
        identity = unit.add("101", media.recording("vm-intro"))
        unit.once()
        self.assertNotEqual("sent", unit.state(identity))
        self.assertEqual([], rig.mails(self.user))

    def test_a_deleted_message_is_not_sent(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user)
        identity = unit.add("101", media.recording("vm-intro"))
        unit.ctl("message", "delete", identity)
        unit.once()
        self.assertEqual([], rig.mails(self.user))
        unit.ctl("message", "restore", identity)
        unit.once()
        rig.wait_for_mail(self.user, 1)

    # ---- secrets -------------------------------------------------------------------------------------
    def test_no_password_in_trace_or_files(self):
        unit = self.unit()
        unit.config("misc", "set", "TraceLevelOverride", "True")
        for number, mechanism in enumerate(("Plain", "Login", "Cram-MD5"), 101):
            unit.mailbox(str(number), rig, self.user, Smtp_Authentication=mechanism)
            unit.add(str(number), media.recording("vm-goodbye"))
        unit.once()
        rig.wait_for_mail(self.user, 3)
        trace = unit.trace()
        self.assertIn("MAIL FROM", trace, "the dialogue is traced")
        for file in unit.root.rglob("*"):
            self.assertFalse(file.is_file() and passwords.is_in(file.read_bytes()), file)
        unit.config("mailbox", "show", "101")  # a Unit looks at what is printed


if __name__ == "__main__":
    vmunit.main()
