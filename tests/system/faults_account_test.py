#!/usr/bin/env python3
"""Accounts in trouble: a mailbox over quota, at delivery and in the account, and a server certificate that
expires under way."""

import datetime
import subprocess

import synctest
import vmunit
from mailrig import wait_until
from scriptedsmtp import DeliveringSmtp

LIMIT = 3  # mails
QUOTA = """
mail_plugins = $mail_plugins quota
protocol imap {{
  mail_plugins = $mail_plugins quota imap_quota
}}
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_grace = 0
  quota_rule = *:messages={limit}
}}
quota_full_tempfail = {tempfail}
"""
READ = r"\Seen"


def setUpModule():
    synctest.TestCase.rig = synctest.start()


def tearDownModule():
    synctest.TestCase.rig.stop()


class QuotaTest(synctest.TestCase):
    """Dovecot's own words by LMTP and IMAP."""

    def full_box(self, tempfail, **variant):
        """A mailbox whose account holds one message of ours and as much else as it may."""
        self.rig.vary(extra=QUOTA.format(limit=LIMIT, tempfail=tempfail), **variant)
        box = self.box()
        self.smtp = DeliveringSmtp(self.rig, box.user)
        self.addCleanup(self.smtp.close)
        box.unit.set(box.number, Smtp_Port=self.smtp.port, Smtp_SSL="No", Smtp_Authentication="None")
        [a] = box.deliver(1)
        for _ in range(LIMIT - 1):
            box.mail.append("INBOX", "Foreign")
        return box, a

    def foreign(self, box):
        return [mail for mail in box.mail.mails() if not mail.id]

    def make_room(self, box):
        box.mail.expunge("INBOX", self.foreign(box)[0].uid)

    def test_full_for_now_is_tried_again(self):
        box, a = self.full_box("yes")
        b = box.add()
        box.unit.once("--mailbox", box.number, status=75)
        delivery = box.unit.delivery(b)
        self.assertEqual("deferred", delivery["state"])
        self.assertRegex(delivery["last_reply"], r"452 4\.2\.2 .*[Qq]uota")
        self.make_room(box)
        box.unit.ctl("queue", "retry", b)
        box.push()
        box.arrive(a, b)
        self.assertEqual(LIMIT, len(box.mail.mails()))

    def test_full_for_good_fails_and_can_be_retried(self):
        box, a = self.full_box("no")
        b = box.add()
        box.unit.once("--mailbox", box.number, status=69)
        delivery = box.unit.delivery(b)
        self.assertEqual("failed", delivery["state"])
        self.assertRegex(delivery["last_reply"], r"552 5\.2\.2 .*[Qq]uota")
        self.assertEqual(1, box.status()["failed"])
        self.make_room(box)
        box.unit.ctl("queue", "retry", b)
        box.push()
        box.arrive(a, b)

    def test_a_move_that_needs_room(self):
        """Without MOVE a mail is copied first, and the copy is refused: NO [OVERQUOTA]."""
        box, a = self.full_box("yes", without={"MOVE"})
        box.mail.create("Work")
        box.sync()
        box.phone("move", a, "--folder", "Work")
        box.sync(status=None)
        self.assertEqual({a: "INBOX"}, box.account(), "nothing of it is lost")
        self.assertEqual(LIMIT - 1, len(self.foreign(box)))
        status, told = box.status(), box.unit.ctl("message", "history", a).stdout
        self.assertRegex(status["reason"] + told, "(?i)quota")
        self.make_room(box)
        if box.messages()[a]["folder"] != "Work":  # the move was taken back, and said
            box.phone("move", a, "--folder", "Work")
        box.sync()
        box.check({a: ("new in Work", "Work")})
        self.assertEqual("ok", box.status()["state"])

    def test_changes_that_need_no_room(self):
        """A full account can be read, marked and emptied."""
        box, a = self.full_box("yes")
        box.phone("mark", a, "--read")
        box.sync()
        box.check({a: ("read", f"INBOX {READ}")})
        box.phone("move", a, "--folder", "Work")
        box.sync()
        box.check({a: ("read in Work", f"Work {READ}")})
        box.phone("delete", a)
        box.sync()
        box.check({a: ("deleted in Work", "")})
        self.assertEqual(LIMIT - 1, len(self.foreign(box)))


class CertificateTest(synctest.TestCase):
    """The server's certificate ends while a connection is parked: that one stays, the next is refused."""

    SECONDS = 12

    def openssl(self, *arguments, status=0):
        done = subprocess.run(
            ["openssl", *map(str, arguments)], cwd=self.rig.directory / "tls", capture_output=True, text=True
        )
        if status is not None:
            self.assertEqual(status, done.returncode, done.stderr)
        return done.returncode

    def short_lived(self):
        """Puts a certificate of the same CA in the place of the server's, with its end to the second."""
        tls = self.rig.directory / "tls"
        conf = "[ca]\ndefault_ca=own\n[own]\ndatabase=index\nserial=serial\nnew_certs_dir=.\nrand_serial=yes\n"
        conf += "default_md=sha256\npolicy=any\nunique_subject=no\n[any]\ncommonName=supplied\n"
        (tls / "ca.conf").write_text(conf)
        (tls / "index").touch()
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.SECONDS)
        self.openssl(
            *"ca -batch -notext -config ca.conf -cert ca.pem -keyfile ca.key -in good.csr -extfile good.ext".split(),
            *("-startdate", "20200101000000Z", "-enddate", end.strftime("%Y%m%d%H%M%SZ"), "-out", "short.pem"),
        )
        self.good = (tls / "good.pem").read_bytes()
        self.addCleanup((tls / "good.pem").write_bytes, self.good)
        (tls / "good.pem").write_bytes((tls / "short.pem").read_bytes())

    def test_expires_under_way(self):
        with self.rig.server_stopped():
            self.rig.server.vary()
            self.short_lived()
        unit = self.unit()
        unit.config("misc", "set", "g_bImap4SyncPendingTimer", "1")
        box = self.box(unit=unit)
        with unit.agent():
            a, b = box.add(), box.add()
            for identity in (a, b):
                wait_until(lambda: f"link; {unit.trace()[-2000:]}", lambda: box.link(identity))
            wait_until("parked connection", lambda: box.status()["idle"])
            # imaplib would not connect any more later.
            box.mail.add_flags("INBOX", a, r"\Flagged")
            wait_until("end of the certificate", lambda: self.openssl(*"x509 -in short.pem -noout -checkend 0".split(), status=None))
            box.mail.add_flags("INBOX", b, READ)
            box.seen_on_the_phone(b, "read")
            with box.server_stopped():
                pass
            wait_until(
                lambda: f"word of the certificate; {box.status()}",
                lambda: "expired" in box.status()["reason"],
            )
            status = box.status()
            self.assertEqual("error", status["state"])
            self.assertRegex(status["reason"], f"(?i){self.rig.ports['imaps']}.*certificate.*expired")
            self.assertEqual({"new urgent", "read"}, {box.describe(m) for m in box.messages().values()})
            with self.rig.server_stopped():
                (self.rig.directory / "tls/good.pem").write_bytes(self.good)
            box.mail.expunge("INBOX", b)
            unit.ctl("sync", box.number, status=None)
            box.seen_on_the_phone(b, "deleted", 60)


if __name__ == "__main__":
    vmunit.main()
