#!/usr/bin/env python3
"""E-mails of the account that are read out at the phone (g_bUseTTS), over IMAP and POP3."""

import base64
import email.header
import json

import media
import synctest
import vmunit
from mailrig import MailRig, wait_until
from passwords import PASSWORD

READ, URGENT, DELETED = r"\Seen", r"\Flagged", r"\Deleted"
SUBJECT = "Grüße aus Zürich – 会議は明日です"


def mail(subject=SUBJECT, text="Good morning. The meeting is at nine.\r\n", number=[0], **fields):
    number[0] += 1
    header = {
        "From": '"Jörg Müller" <joerg@elsewhere.example>',
        "To": "somebody@example.test",
        "Subject": subject,
        "Date": "Sat, 21 Nov 2026 10:00:00 +0100",
        "Message-ID": f"<mail.{number[0]}@elsewhere.example>",
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Transfer-Encoding": "base64",
    }
    header.update({name.replace("_", "-"): value for name, value in fields.items()})
    lines = []
    for name, value in header.items():
        if name == "From" and not value.isascii():
            name_part, address = value.split(" <")
            value = str(email.header.Header(name_part.strip('"'), "utf-8")) + " <" + address
        elif not value.isascii():
            value = email.header.Header(value, "utf-8").encode()
        if value:
            lines.append(f"{name}: {value}")
    body = text.encode()
    if header["Content-Transfer-Encoding"] == "base64":
        body = base64.encodebytes(body).replace(b"\n", b"\r\n")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Shared:
    def emails(self, box):
        return {i: m for i, m in box.messages().items() if m["kind"] == "email"}

    def one(self, box):
        [message] = self.emails(box).values()
        return message

    def show(self, box, identity):
        return json.loads(box.unit.ctl("message", "show", identity, "--json").stdout)


class ImapTest(Shared, synctest.TestCase):
    misc = {"g_bUseTTS": "True", "g_bImap4SyncPendingTimer": 1}

    @classmethod
    def setUpClass(cls):
        cls.rig = synctest.start()
        cls.addClassCleanup(cls.rig.stop)
        super().setUpClass()

    def test_a_mail_becomes_a_message(self):
        box = self.box()
        [voice] = box.deliver(1)
        box.mail.append("INBOX", mail())
        box.sync()
        message = self.one(box)
        shown = self.show(box, message["id"])
        self.assertEqual(
            ("email", "new", SUBJECT, "Jörg Müller", "joerg@elsewhere.example", "2026-11-21T09:00:00.000Z"),
            tuple(shown[n] for n in ("kind", "state", "subject", "caller_name", "sender", "received")),
        )
        self.assertEqual("Good morning. The meeting is at nine.", shown["text"].strip())
        self.assertEqual("INBOX", shown["link"]["folder"])
        self.assertEqual("off", shown["delivery"]["state"])
        told = box.unit.ctl("message", "show", message["id"]).stdout
        for words in (SUBJECT, "Jörg Müller <joerg@elsewhere.example>", "The meeting is at nine."):
            self.assertIn(words, told)
        self.assertIn(SUBJECT, box.unit.ctl("message", "list", "--mailbox", box.number).stdout)
        # Once, and the unit's own mail is none.
        for _ in range(2):
            box.sync()
            box.unit.once("--mailbox", box.number)
        self.assertEqual([message["id"]], list(self.emails(box)))
        self.assertEqual("voice", box.messages()[voice]["kind"])
        self.assertEqual(1, box.status()["linked"], "e-mails do not count")

    def test_as_speech(self):
        box = self.box(Language="en")
        box.mail.append("INBOX", mail(subject="Meeting on Friday", text="We meet at nine. Please bring the papers.\r\n"))
        box.sync()
        message = self.one(box)
        file = self.files / "speech.wav"
        box.unit.ctl("message", "export", message["id"], "--as", "media", "--output", file)
        form, channels, rate, samples = media.wav(file)
        self.assertEqual((7, 1, 8000), (form, channels, rate))
        self.assertGreater(len(samples) / rate, 3)
        self.assertLess(len(samples) / rate, 30)
        self.assertGreater(media.level(samples), 0.1)
        [cached] = (box.unit.root / "var/speech").glob(f"{message['id']}.*")
        before = cached.stat().st_mtime_ns
        box.unit.ctl("message", "export", message["id"], "--as", "media", "--output", file)
        self.assertEqual(before, cached.stat().st_mtime_ns, "made twice")
        done = box.unit.ctl("message", "export", message["id"], "--as", "eml", "--output", file, status=65)
        self.assertIn("--as media", done.stderr)
        self.assertIn("not sent", box.unit.ctl("queue", "retry", message["id"], status=65).stderr)

    def test_another_synthesiser(self):
        command = self.files / "speak"
        said = self.files / "said.wav"
        said.write_bytes(media.recording("digits/1").read_bytes())
        command.write_text(f'#!/bin/sh\ncat > /dev/null\n[ "$1" = de ] && cat {said}\n')
        command.chmod(0o755)
        unit = self.unit()
        unit.config("misc", "set", "g_bUseTTS", "True")
        unit.config("misc", "set", "g_szSpeechCommand", str(command))
        box = self.box(unit=unit, Language="de")
        box.mail.append("INBOX", mail())
        box.sync()
        file = self.files / "speech.wav"
        unit.ctl("message", "export", self.one(box)["id"], "--as", "media", "--output", file)
        self.assertEqual((7, 1, 8000), media.wav(file)[:3])
        unit.config("misc", "set", "g_szSpeechCommand", "/nowhere/speak")
        done = unit.ctl("message", "export", self.one(box)["id"], "--as", "media", "--output", file, status=78)
        self.assertIn("g_szSpeechCommand", done.stderr)

    def test_both_directions(self):
        box = self.box()
        for n in range(4):
            box.mail.append("INBOX", mail(subject=f"Mail {n}"), *([URGENT] if n == 3 else []))
        box.sync()
        a, b, c, d = sorted(self.emails(box), key=lambda i: self.emails(box)[i]["subject"])
        uids = {i: box.messages()[i]["link"]["uid"] for i in (a, b, c, d)}
        self.assertEqual([False, False, False, True], [box.messages()[i]["urgent"] for i in (a, b, c, d)])
        box.phone("mark", a, "--read")
        box.phone("delete", b)
        box.mail.add_flags("INBOX", uids[c], READ)
        box.mail.expunge("INBOX", uids[d])
        box.sync()
        flags = {m.uid: m.flags for m in box.mail.mails()}
        self.assertEqual({uids[a], uids[c]}, set(flags))
        self.assertIn(READ, flags[uids[a]])
        states = {i: box.messages()[i]["state"] for i in (a, b, c, d)}
        self.assertEqual({a: "read", b: "deleted", c: "read", d: "deleted"}, states)
        # A folder of the subscriber's.
        box.mail.create("Friends")
        box.mail.move("INBOX", uids[a], "Friends")
        box.sync()
        self.assertEqual("Friends", box.messages()[a]["folder"])
        # Another UIDVALIDITY is no deletion.
        with box.server_stopped():
            self.rig.server.forget_uids(box.user)
        box.sync()
        self.assertEqual("read", box.messages()[c]["state"])
        self.assertNotEqual(None, box.messages()[c]["link"])
        self.assertEqual(4, len(self.emails(box)))

    def test_what_was_there_before(self):
        unit = self.unit()
        box = self.box(unit=unit)
        box.mail.append("INBOX", mail(subject="read already"), READ)
        box.mail.append("INBOX", mail(subject="not read yet"))
        box.mail.append("INBOX", mail(subject="deleted"), DELETED)
        box.sync()
        self.assertEqual({}, self.emails(box))
        unit.config("misc", "set", "g_bUseTTS", "True")
        box.sync()
        self.assertEqual("not read yet", self.one(box)["subject"])
        unit.config("misc", "set", "g_bUseTTS", "False")
        box.mail.append("INBOX", mail(subject="later"))
        box.sync()
        self.assertEqual("not read yet", self.one(box)["subject"])

    def test_many_deletions_hold_nothing(self):
        unit = self.unit()
        unit.config("misc", "set", "g_bUseTTS", "True")
        unit.config("misc", "set", "g_nMassDeletionLimit", "2")
        box = self.box(unit=unit)
        [voice] = box.deliver(1)
        for n in range(6):
            box.mail.append("INBOX", mail())
        box.sync()
        self.assertEqual(6, len(self.emails(box)))
        box.mail.expunge("INBOX", *[m.uid for m in box.mail.mails() if not m.id])
        box.sync()
        self.assertEqual("ok", box.status()["state"], box.status())
        self.assertEqual({"deleted"}, {m["state"] for m in self.emails(box).values()})
        self.assertEqual("new", box.messages()[voice]["state"])

    def test_with_an_agent(self):
        unit = self.unit()
        unit.config("misc", "set", "g_bUseTTS", "True")
        box = self.box(unit=unit)
        with unit.agent():
            wait_until(lambda: f"IDLE; {box.status()}", lambda: box.status()["idle"])
            box.mail.append("INBOX", mail())
            wait_until(lambda: f"an e-mail; {unit.trace()[-3000:]}", lambda: self.emails(box))

    def test_hostile_mails(self):
        box = self.box()
        [voice] = box.deliver(1)
        nested = "".join(
            f'--b{n}\r\nContent-Type: multipart/mixed; boundary="b{n + 1}"\r\n\r\n' for n in range(150000)
        )
        for hostile in (
            mail(subject="nested", text=nested, Content_Type='multipart/mixed; boundary="b0"', Content_Transfer_Encoding="7bit"),
            mail(subject="broken", text="=?utf-8?b?////", Content_Transfer_Encoding="7bit").replace(b"7bit", b"base64"),
            mail(subject="charset", text="h\u00e9llo", Content_Type="text/plain; charset=x-no-such"),
            mail(subject="bomb", text="<table>" + "<div><p>" * 1_000_000, Content_Type="text/html"),
            mail(subject="control\x08s", text="a\x01b\x1b[2Jc"),
            mail(subject="long", text="x" * 10_000_000),
            mail(subject="=?utf-8?q?" + "=00" * 30000 + "?=", text="x"),
            b"\r\n\r\n",
        ):
            box.mail.append("INBOX", hostile)
        box.mail.append("INBOX", mail(subject="harmless"))
        box.phone("mark", voice, "--read")
        box.sync()
        for _ in range(10):  # what was put off
            box.sync()
        self.assertIn(READ, box.mail.ids()[voice])
        self.assertEqual("ok", box.status()["state"], box.status())
        subjects = {m["subject"] for m in self.emails(box).values()}
        self.assertLessEqual({"harmless", "charset", "long"}, subjects)
        for message in self.emails(box).values():
            text = self.show(box, message["id"])["text"]
            self.assertLessEqual(len(text.encode()), 65536)
            self.assertFalse([c for c in text if c < " " and c != "\n"], message)


class Pop3Test(Shared, vmunit.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rig = MailRig({f"user{n}": PASSWORD for n in range(10)})
        try:
            cls.rig.start()
        except BaseException:
            cls.rig.stop()
            raise
        cls.addClassCleanup(cls.rig.stop)
        cls.free_users = iter(cls.rig.users)

    def test_fetched_once_and_left_there(self):
        unit = self.unit("libsmtppop3.so")
        unit.config("misc", "set", "g_bUseTTS", "True")
        user = next(self.free_users)
        box = synctest.Box.__new__(synctest.Box)
        box.test, box.unit, box.rig, box.number, box.user, box.home = self, unit, self.rig, "101", user, "INBOX"
        box._mail = None
        unit.mailbox(
            "101",
            self.rig,
            user,
            Pop3_Server=self.rig.host,
            Pop3_Port=self.rig.ports["pop3s"],
            Pop3_SSL="Yes",
            Pop3_Account=user,
            Pop3_Password=PASSWORD,
        )
        voice = box.add()
        box.push()
        wait_until("arrival", lambda: voice in box.mail.ids())
        box.mail.append("INBOX", mail())
        box.sync()
        message = self.one(box)
        shown = self.show(box, message["id"])
        self.assertEqual((SUBJECT, "new", None), (shown["subject"], shown["state"], shown["link"]))
        self.assertEqual(2, len(box.mail.mails()), "no copy was left on the server")
        box.phone("delete", message["id"])
        box.mail.append("INBOX", mail(subject="second"))
        box.mail.append("INBOX", mail(subject="third", Message_ID=""))
        for _ in range(3):
            box.sync()
        self.assertEqual(
            {SUBJECT: "deleted", "second": "new", "third": "new"},
            {m["subject"]: m["state"] for m in self.emails(box).values()},
        )
        self.assertEqual(4, len(box.mail.mails()))
        # One that does not end keeps none of the others away.
        box.mail.append("INBOX", mail(subject="important"))
        endless = mail(subject="big", text="x" * 20_000_000, Content_Transfer_Encoding="7bit")
        box.mail.append("INBOX", endless)
        box.sync(status=None)
        wait_until(
            lambda: f"the mail; {self.emails(box)}; {unit.trace()[-2000:]}",
            lambda: box.sync(status=None) and "important" in {m["subject"] for m in self.emails(box).values()},
            240,
        )
        count = len(box.mail.mails())
        # Voice messages are deleted as ever.
        box.phone("delete", voice)
        box.sync()
        self.assertNotIn(voice, box.mail.ids())
        self.assertEqual(count - 1, len(box.mail.mails()))


if __name__ == "__main__":
    vmunit.main()
