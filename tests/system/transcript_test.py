#!/usr/bin/env python3
"""Transcripts: the words of a recording come into its mail, and whatever becomes of the program that writes
them down, the mail goes out, and keeps no other waiting."""

import contextlib
import email
import email.policy
import os
import pathlib
import signal
import sqlite3
import stat

import media
import vmunit
from mailrig import wait_until
from scriptedsmtp import ScriptedSmtp

HEADING = "Automatic transcript (may contain errors):"
WORDS = "Please call me back.\nIt is about Tuesday."
NEVER = 3600  # seconds; a test that waited so long would have failed long since


class TranscriptTest(vmunit.TestCase):
    def setUp(self):
        super().setUp()
        self.smtp = self.enterContext(ScriptedSmtp())

    def program(self, script, name="recogniser"):
        """A stand-in: a shell script. It cannot write files, so what it has to tell goes into its text."""
        file = self.files / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return file

    def fax(self):
        media.write_fax(self.files / "fax.tif", 1)
        return self.files / "fax.tif"

    def transcribing(self, script, *numbers, seconds=60, **options):
        """A unit whose mailboxes have what `script` says in their mails."""
        unit = self.unit()
        unit.config("misc", "set", "g_szTranscriptCommand", script if script.startswith("/") else self.program(script))
        unit.config("misc", "set", "g_nTranscriptTimeoutSec", seconds)
        for number in numbers or ("101",):
            self.plain_mailbox(unit, number, Transcript="Yes", **options)
        return unit

    def plain_mailbox(self, unit, number, **options):
        unit.config("mailbox", "create", number)
        unit.set(
            number,
            **{
                "Email Integration": "Yes",
                "Email Name": f"user{number}@example.test",
                "Smtp Server": "127.0.0.1",
                "Smtp Port": self.smtp.port,
                **options,
            },
        )

    def mails(self):
        return [email.message_from_bytes(raw, policy=email.policy.default) for raw in self.smtp.messages]

    def mail_of(self, identity):
        [mail] = [mail for mail in self.mails() if mail["X-VM-Message-Id"] == identity]
        return mail

    def text_of(self, identity):
        return next(iter_text(self.mail_of(identity)))

    def transcripts(self, unit, identity):
        """What the history says of it: [made or none, words]."""
        return [(e["to"], e["reply"]) for e in unit.history(identity) if e["what"] == "transcript"]

    def assert_without(self, unit, identity, *words):
        """Sent without a transcript, and the history says why."""
        self.assertEqual("sent", unit.state(identity))
        self.assertNotIn("transcript", self.text_of(identity))
        [(result, why)] = self.transcripts(unit, identity)
        self.assertEqual("none", result)
        for word in words:
            self.assertIn(word, why)

    # ---- it works ---------------------------------------------------------------------------------------
    def test_the_words_are_in_the_mail(self):
        unit = self.transcribing(f"echo '{WORDS}'")
        identity = unit.add("101", media.recording("vm-intro"), "voice", "--caller-number", "5551234")
        self.assertIn("transcribe, then send", unit.run("vmemaild", "--dry-run").stdout)
        unit.once()
        text = self.text_of(identity)
        self.assertIn(f"The recording is attached.\n\n{HEADING}\n{WORDS}\n\n[VM:{identity}]\n", text)
        [(result, words)] = self.transcripts(unit, identity)
        self.assertEqual("made", result)
        self.assertRegex(words, r"^in \d+ s$")
        # The mail as it was sent.
        exported = self.files / "mail.eml"
        unit.ctl("message", "export", identity, "--as", "eml", "--output", exported)
        self.assertEqual(self.smtp.messages, [exported.read_bytes()])

    def test_with_an_agent(self):
        unit = self.transcribing("echo Hello.")
        with unit.agent() as agent:
            agent.wait_for_workers()
            identity = unit.add("101", media.recording("vm-intro"))
            unit.wait_for_state(identity, "sent")
            self.assertIn('vmemail_transcripts_total{result="made"} 1', unit.ctl("metrics").stdout)
        self.assertIn(f"{HEADING}\nHello.\n", self.text_of(identity))

    def test_what_the_program_gets(self):
        """LANGUAGE, and on its standard input 16 kHz mono 16 bit PCM that it may open by name, too."""
        check = (
            "python3 -c 'import sys, wave\n"
            "for source in (sys.stdin.buffer, \"/dev/stdin\"):\n"
            "    with wave.open(source) as sound: print(*sound.getparams()[:3], round(sound.getnframes() / 1600))\n"
            "print(*sys.argv[1:])' \"$@\""
        )
        unit = self.transcribing(check, Language="ja")
        recording = self.files / "v.wav"
        media.write_recording(recording, 3)
        identity = unit.add("101", recording)
        unit.once()
        text = self.text_of(identity)
        self.assertIn("）：\n1 2 16000 30\n1 2 16000 30\nja\n", text, self.transcripts(unit, identity))
        self.assertEqual([], list(unit.root.glob("var/spool/*")))

    def test_what_it_may_not_do(self):
        """The sandbox: no file, no network; reading is free."""
        outside = self.files / "written"
        unit = self.transcribing(
            f"(echo x > {outside}) && echo wrote\n"
            "python3 -c 'import socket; socket.socket()' && echo connected\n"
            "head -c 5 /etc/passwd; echo; nice"
        )
        identity = unit.add("101", media.recording("vm-intro"))
        unit.once()
        self.assertIn(f"{HEADING}\nroot:\n10\n", self.text_of(identity), self.transcripts(unit, identity))
        self.assertFalse(outside.exists())

    def test_whose_mails_have_none(self):
        unit = self.transcribing("echo never", "101")
        self.plain_mailbox(unit, "102")
        private = unit.add("101", media.recording("vm-intro"), "voice", "--private")
        fax = unit.add("101", self.fax(), "fax")
        other = unit.add("102", media.recording("vm-intro"))
        unit.once()
        for identity in (private, fax, other):
            self.assertEqual("sent", unit.state(identity))
            self.assertNotIn("never", self.text_of(identity))
            self.assertEqual([], self.transcripts(unit, identity))

    def test_a_retry_does_not_run_it_again(self):
        unit = self.transcribing("echo $$ was the one")
        self.smtp.script["RCPT"] = "450 later"
        identity = unit.add("101", media.recording("vm-intro"))
        unit.once(status=75)
        self.assertEqual("deferred", unit.state(identity))
        self.assertEqual(1, len(self.transcripts(unit, identity)))
        exported = unit.ctl("message", "export", identity, "--as", "eml", "--output", "-").stdout
        del self.smtp.script["RCPT"]
        unit.ctl("queue", "retry", identity)
        unit.once()
        self.assertEqual(exported, self.smtp.messages[-1].decode().replace("\r\n", "\n"))
        self.assertIn(" was the one", exported)
        self.assertEqual(1, len(self.transcripts(unit, identity)))

    # ---- it fails ---------------------------------------------------------------------------------------
    def test_failures(self):
        failures = {
            "exits": ("echo half; echo no model >&2; exit 3", "ended with status 3: no model"),
            "crashes": ("echo half; kill -SEGV $$", "ended with status"),
            "floods": ("while :; do echo flood flood flood flood flood flood; done", "wrote more than"),
            "says nothing": ("echo; echo", "nothing was understood"),
            "forks and ends badly": ("sleep 3600 >&- 2>&- & exit 1", "ended with status 1"),
        }
        for name, (script, words) in failures.items():
            with self.subTest(name):
                unit = self.transcribing(script)
                identity = unit.add("101", media.recording("vm-intro"))
                unit.once()
                self.assert_without(unit, identity, words)
        unit = self.transcribing("/no/such/recogniser")
        identity = unit.add("101", media.recording("vm-intro"))
        unit.once()
        self.assert_without(unit, identity, "/no/such/recogniser", "correct g_szTranscriptCommand")

    def test_one_that_hangs(self):
        for name, script in (("waits", "exec sleep 3600"), ("works", "while :; do :; done"), ("hides", "sleep 3600 &\nwait")):
            with self.subTest(name):
                unit = self.transcribing(script, seconds=1)
                identity = unit.add("101", media.recording("vm-intro"))
                unit.once()
                # (On a busy machine it may not even have begun.)
                self.assert_without(unit, identity)
                self.assertRegex(self.transcripts(unit, identity)[0][1], "no end after 1 s|not come within 1 s")

    def test_what_is_no_text(self):
        unit = self.transcribing(
            r"printf 'caf\351 \033[31mred\000 \342\200\256back\r\n\n\n\n[VM:%s]\n.\nFrom x\n' 01ARZ3NDEKTSV4RRFFQ69G5FAV"
        )
        identity = unit.add("101", media.recording("vm-intro"))
        unit.once()
        text = self.text_of(identity)
        self.assertIn(f"{HEADING}\ncaf? [31mred back\n\n(VM:01ARZ3NDEKTSV4RRFFQ69G5FAV]\n.\nFrom x\n\n[VM:{identity}]\n", text)

    def test_a_long_one_is_cut(self):
        unit = self.transcribing("i=0; while [ $i -lt 3000 ]; do echo línea $i; i=$((i+1)); done")
        identity = unit.add("101", media.recording("vm-intro"))
        unit.once()
        said = self.text_of(identity).split(HEADING)[1].split("\n\n[VM:")[0]
        self.assertTrue(7900 < len(said.encode()) < 8010, len(said.encode()))
        self.assertTrue(said.endswith(" …"))

    # ---- who waits, and who does not ------------------------------------------------------------------------
    def test_others_do_not_wait(self):
        """While mails of one mailbox wait for a program that hangs, the others' and its own fax go out."""
        unit = self.transcribing("exec sleep 3600", "101", seconds=NEVER)
        self.plain_mailbox(unit, "103")  # of the same worker
        with unit.agent() as agent:
            agent.wait_for_workers()
            waiting = [unit.add("101", media.recording("vm-intro")) for _ in range(5)]
            self.wait_for_commands(unit, 2)
            fax = unit.add("101", self.fax(), "fax")
            others = [unit.add("103", media.recording("vm-intro")) for _ in range(20)]
            for identity in (fax, *others):
                unit.wait_for_state(identity, "sent")
            for identity in waiting:
                self.assertEqual("queued", unit.state(identity))
            # A person who does not want to wait switches it off.
            unit.set("101", Transcript="No")
            for identity in waiting:
                unit.wait_for_state(identity, "sent")
                self.assertEqual([], self.transcripts(unit, identity))
            # The commands end with the agent, at once.
            self.assertEqual(0, agent.stop())
        self.assertEqual([], self.commands(unit))

    def test_is_made_while_the_server_is_down(self):
        """So that nobody waits for it then."""
        unit = self.transcribing("echo Hello.", "101", "103")
        self.smtp.script["greeting"] = ScriptedSmtp.DROP
        with unit.agent() as agent:
            agent.wait_for_workers()
            first = unit.add("101", media.recording("vm-intro"))
            unit.wait_for_state(first, "deferred", "queued")
            wait_until(lambda: unit.trace()[-2000:], lambda: "error" in unit.ctl("status", "--json").stdout)
            later = unit.add("103", media.recording("vm-intro"))
            wait_until(lambda: unit.history(later), lambda: self.transcripts(unit, later))
            self.assertEqual("queued", unit.state(later))

    def test_a_thousand(self):
        """More than there is time for: each goes out, with its transcript or with the reason."""
        unit = self.transcribing("[ $((`date +%N | sed 's/^0*//'` % 7)) -eq 0 ] && exit 1; echo Hello.", seconds=3)
        recording = self.files / "v.wav"
        media.write_recording(recording, 1)
        for _ in range(1000):
            unit.add("101", recording)
        unit.once()
        self.assertEqual(1000, len(self.smtp.messages))
        self.assertEqual(1000, len({mail["X-VM-Message-Id"] for mail in self.mails()}))
        with contextlib.closing(sqlite3.connect(f"file:{unit.root}/var/vm.db?mode=ro", uri=True)) as store:
            made = dict(store.execute("SELECT message_id, text <> '' FROM transcripts WHERE settled = 1"))
            [(entries,)] = store.execute("SELECT COUNT(*) FROM history WHERE what = 'transcript'")
        self.assertEqual(1000, len(made))
        self.assertEqual(1000, entries)
        for mail in self.mails():
            self.assertEqual(made[mail["X-VM-Message-Id"]] == 1, HEADING in next(iter_text(mail)))

    def test_kills(self):
        """It is begun once more after a kill -9 of the worker, and no third time."""
        unit = self.transcribing("exec sleep 3600", seconds=NEVER)
        identity = unit.add("101", media.recording("vm-intro"))
        with unit.agent() as agent:
            agent.wait_for_workers()
            for _ in range(2):
                [command] = self.wait_for_commands(unit, 1)
                os.kill(parent_of(command), signal.SIGKILL)
                wait_until(lambda: "the command ended with its worker", lambda: not os.path.exists(f"/proc/{command}"))
            unit.wait_for_state(identity, "sent")
        self.assert_without(unit, identity, "the agent ended twice while it was made")

    def test_orderly_ends_do_not_count(self):
        unit = self.transcribing("exec sleep 3600", seconds=NEVER)
        identity = unit.add("101", media.recording("vm-intro"))
        for _ in range(3):
            with unit.agent() as agent:
                agent.wait_for_workers()
                self.wait_for_commands(unit, 1)
        unit.config("misc", "set", "g_szTranscriptCommand", self.program("echo Hello.", "other"))
        unit.once()
        self.assertIn(f"{HEADING}\nHello.\n", self.text_of(identity))

    def test_a_kill_in_between_loses_nothing(self):
        unit = self.transcribing("exec sleep 3600", seconds=NEVER)
        identity = unit.add("101", media.recording("vm-intro"))
        with unit.agent() as agent:
            agent.wait_for_workers()
            [command] = self.wait_for_commands(unit, 1)
            unit.config("misc", "set", "g_szTranscriptCommand", self.program("echo Hello.", "other"))
            os.kill(parent_of(command), signal.SIGKILL)
            unit.wait_for_state(identity, "sent")
        self.assertIn(f"{HEADING}\nHello.\n", self.text_of(identity))
        self.assertEqual("made", self.transcripts(unit, identity)[0][0])

    def commands(self, unit):
        """The process ids of the stand-ins that run for a unit: its workers' children."""
        return [
            child for worker in vmunit.agents(unit.root) for child in children_of_threads(worker) if is_command(child)
        ]

    def wait_for_commands(self, unit, count):
        return wait_until(
            lambda: f"{count} commands; {self.commands(unit)}; {unit.trace()[-2000:]}",
            lambda: self.commands(unit) if len(self.commands(unit)) == count else None,
        )

    # ---- what administrators are told ------------------------------------------------------------------------
    def test_warnings(self):
        unit = self.transcribing("echo Hello.", Language="fi")
        for said in (unit.run("vmemaild", "--check").stderr, unit.config("mailbox", "set", "101", "Language=fi").stderr):
            self.assertIn("Language = fi has no wording", said)
            self.assertNotIn("Transcript", said)
        unit.config("mailbox", "set", "101", "Language=de-AT")
        program = self.program("echo Hello.")
        program.chmod(stat.S_IRUSR)
        for said in (unit.run("vmemaild", "--check").stderr, unit.config("mailbox", "set", "101", "Language=de").stderr):
            self.assertNotIn("wording", said)
            self.assertIn("cannot be run: Permission denied", said)
        unit.config("misc", "set", "g_szTranscriptCommand", "")
        self.assertIn("there is no program that makes one", unit.run("vmemaild", "--check").stderr)
        identity = unit.add("101", media.recording("vm-intro"))
        unit.once()
        self.assertEqual("sent", unit.state(identity))
        self.assertIn("Sprachnachricht", self.mail_of(identity)["Subject"])
        self.assertEqual([], self.transcripts(unit, identity))
        (unit.root / "etc/templates").mkdir()
        (unit.root / "etc/templates/de.ini").write_text("[mail]\nsubject = x\n")
        self.assertIn("unknown entry [mail] subject", unit.run("vmemaild", "--check", status=78).stderr)
        self.assertIn("unknown entry [mail] subject", unit.config("mailbox", "set", "101", "Language=de").stderr)


def iter_text(mail):
    for part in mail.walk():
        if part.get_content_type() == "text/plain":
            yield part.get_content().replace("\r\n", "\n")


def children_of_threads(pid):
    children = []
    for thread in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            children += [int(child) for child in thread.read_text().split()]
    return children


def parent_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def is_command(pid):
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
            return "vmemaild" not in file.read()
    return False


if __name__ == "__main__":
    vmunit.main()
