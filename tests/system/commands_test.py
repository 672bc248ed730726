#!/usr/bin/env python3
"""Exit statuses and messages of the programs as scripts see them; no server is needed."""

import fcntl
import json
import os
import pathlib
import pty
import pwd
import re
import select
import shlex
import signal
import subprocess
import termios

import media
import vmunit
from mailrig import dies_with_parent, wait_until


class CommandsTest(vmunit.TestCase):
    def mailbox(self, unit, number="101", **options):
        values = {
            "Email Integration": "Yes",
            "Email Name": "ann@example.test",
            "Smtp Server": "localhost",
            "Smtp Port": "1",
        }
        values.update({name.replace("_", " "): value for name, value in options.items()})
        unit.config("mailbox", "create", number)
        unit.set(number, **values)

    def refused(self, done, status, *words):
        """One line on stderr with these words, and this status."""
        self.assertEqual(status, done.returncode, done.stderr)
        self.assertEqual(1, len(done.stderr.strip().splitlines()), done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def spoil(self, unit, number):
        """Writes a bad value by hand; returns its line."""
        file = unit.root / f"etc/mailboxes/{number}.ini"
        bad = "Smtp SSL = Sometimes"
        lines = [bad if l.startswith("Smtp SSL") else l for l in file.read_text().splitlines()]
        file.write_text("\n".join(lines) + "\n")
        return 1 + lines.index(bad)

    def test_usage(self):
        unit = self.unit()
        for program in ("vmconfig", "vmctl", "vmemaild"):
            self.refused(unit.run(program, "--no-such-option", status=None), 64, f"{program}: ")
            for argument in ("--help", "--version"):
                self.assertNotEqual("", unit.run(program, argument).stdout)

    def test_nothing_due(self):
        unit = self.unit()
        unit.once()
        self.mailbox(unit)
        unit.once()
        unit.run("vmemaild", "--check")
        self.assertEqual({"messages": []}, json.loads(unit.ctl("message", "list", "--mailbox", "101", "--json").stdout))

    def test_the_lamp_without_an_agent(self):
        unit = self.unit()
        self.mailbox(unit, Email_Integration="No")
        told = self.files / "told"
        command = self.files / "waiting"
        command.write_text(f'#!/bin/sh\necho "$1 $2 $3" >> {told}\n')
        command.chmod(0o755)
        unit.config("misc", "set", "g_szMessageWaitingCommand", command)
        identity = unit.add("101", media.recording("vm-intro"))
        unit.once()
        unit.once()
        self.assertEqual(["101 1 0"], told.read_text().splitlines())
        unit.ctl("message", "mark", identity, "--read")
        unit.once()
        self.assertEqual(["101 1 0", "101 0 1"], told.read_text().splitlines())

    def test_an_empty_mailbox_number_is_not_all(self):
        unit = self.unit()
        self.mailbox(unit)
        for command in (("sync", ""), ("watch", "--mailbox="), ("message", "list", "--mailbox", "")):
            self.refused(unit.ctl(*command, status=None), 64, "empty")

    def test_a_failing_message_waiting_command_is_tried_again(self):
        unit = self.unit()
        self.mailbox(unit, Email_Integration="No")
        broken, told = self.files / "broken", self.files / "told"
        broken.touch()
        command = self.files / "waiting"
        command.write_text(f'#!/bin/sh\necho "$1 $2 $3" >> {told}\n[ ! -e {broken} ]\n')
        command.chmod(0o755)
        unit.config("misc", "set", "g_szMessageWaitingCommand", command)
        unit.add("101", media.recording("vm-intro"))
        unit.once()
        broken.unlink()
        unit.once()
        unit.once()
        self.assertEqual(["101 1 0"] * 2, told.read_text().splitlines())

    def test_a_root_that_is_none(self):
        unit = self.unit()
        unit.root = self.files / "nothing"
        for done in (unit.once(status=None), unit.ctl("status", status=None)):
            self.assertNotEqual(0, done.returncode)
            self.assertIn("vmconfig init", done.stderr)

    def test_what_is_no_recording_is_refused_and_nothing_is_stored(self):
        unit = self.unit()
        self.mailbox(unit)
        text = self.files / "text.wav"
        text.write_text("this is no recording\n" * 100)
        cut = self.files / "cut.wav"
        cut.write_bytes(media.recording("vm-intro").read_bytes()[:1000])
        empty = self.files / "empty.wav"
        empty.touch()
        for file in (text, cut, empty):
            for kind in ("voice", "fax"):
                done = unit.ctl("message", "add", "--mailbox", "101", "--kind", kind, "--file", file, status=None)
                self.refused(done, 65, str(file))
        missing = unit.ctl("message", "add", "--mailbox", "101", "--kind", "voice", "--file", "/none.wav", status=None)
        self.refused(missing, 66, "/none.wav")
        self.assertEqual({"messages": []}, json.loads(unit.ctl("message", "list", "--mailbox", "101", "--json").stdout))
        self.assertEqual([], [f for f in (unit.root / "var/media").rglob("*") if f.is_file()])

    def test_what_is_added_twice_under_one_name_is_one_message(self):
        unit = self.unit()
        self.mailbox(unit)
        self.mailbox(unit, "102")
        recording = self.files / "recording.wav"
        recording.write_bytes(media.recording("digits/1").read_bytes())
        first = unit.add("101", recording, "voice", "--origin", "pbx/é 1")
        recording.unlink()
        self.assertEqual(first, unit.add("101", recording, "voice", "--origin", "pbx/é 1"))
        unit.ctl("message", "delete", first)
        self.assertEqual(first, unit.add("101", recording, "voice", "--origin", "pbx/é 1"))
        self.assertEqual("pbx/é 1", unit.message(first)["origin"])
        self.assertIn("pbx/é 1", unit.ctl("message", "show", first).stdout)
        add = ("message", "add", "--kind", "voice", "--file", recording, "--origin")
        self.refused(unit.ctl(*add, "pbx/é 1", "--mailbox", "102", status=None), 64, first, "101")
        self.refused(unit.ctl(*add, "", "--mailbox", "101", status=None), 64, "--origin")
        self.refused(unit.ctl(*add, "x" * 251, "--mailbox", "101", status=None), 64, "origin")

    def test_unknown_objects(self):
        unit = self.unit()
        self.refused(unit.ctl("message", "show", "01ARYZ6S41TSV4RRFFQ69G5FAV", status=None), 66)
        self.refused(unit.config("mailbox", "show", "999", status=None), 66, "999")

    def test_a_bad_value_is_named_with_its_line(self):
        unit = self.unit()
        self.mailbox(unit)
        done = unit.config("mailbox", "set", "101", "Smtp SSL=Sometimes", status=None)
        self.assertNotEqual(0, done.returncode)
        for word in ("Smtp SSL", "Sometimes", "STARTTLS"):
            self.assertIn(word, done.stderr)
        line = self.spoil(unit, "101")
        for arguments in (("--check",), ("--once",)):
            done = unit.run("vmemaild", *arguments, status=78)
            told = done.stdout + done.stderr
            for word in ("101.ini", str(line), "Smtp SSL", "Sometimes"):
                self.assertIn(word, told)

    def test_one_bad_mailbox_leaves_the_others(self):
        unit = self.unit()
        self.mailbox(unit, "101")
        self.mailbox(unit, "102")
        self.spoil(unit, "101")
        identity = unit.add("102", media.recording("vm-intro"))
        unit.once(status=None)
        self.assertEqual(1, unit.delivery(identity)["attempts"])

    def test_a_password_others_can_read_is_refused(self):
        unit = self.unit()
        self.mailbox(
            unit, Smtp_SSL="Yes", Smtp_Authentication="Plain", Smtp_Account="ann", Smtp_Password="hunter2"
        )
        file = unit.root / "etc/mailboxes/101.ini"
        self.assertEqual(0o600, file.stat().st_mode & 0o777)
        os.chmod(file, 0o644)
        done = unit.run("vmemaild", "--check", status=None)
        self.assertNotEqual(0, done.returncode)
        self.assertIn("101.ini", done.stdout + done.stderr)
        self.assertNotIn("hunter2", done.stdout + done.stderr + file.read_text())

    def test_seats(self):
        unit = self.unit()
        unit.config("misc", "set", "g_nUnifiedMessagingSeats", "1")
        self.mailbox(unit, "101")
        unit.config("mailbox", "create", "102")
        done = unit.config(
            "mailbox", "set", "102", "Email Name=bob@example.test", "Smtp Server=localhost",
            "Email Integration=Yes", status=None,
        )  # fmt: skip
        self.assertNotEqual(0, done.returncode)
        self.assertIn("101", done.stderr)
        self.assertIn("1", done.stderr)
        # By hand it does not help either: the mailbox beyond the limit is not served.
        file = unit.root / "etc/mailboxes/102.ini"
        file.write_text("[Email]\nEmail Integration = Yes\nEmail Name = b@example.test\nSmtp Server = localhost\n")
        told = unit.run("vmemaild", "--check", status=None)
        self.assertIn("102", told.stdout + told.stderr)

    def test_a_plugin_others_can_write_is_refused(self):
        unit = self.unit()
        self.mailbox(unit)
        plugin = self.files / "libsmtpimap4.so"
        plugin.write_bytes((unit.build / "lib/libsmtpimap4.so").read_bytes())
        os.chmod(self.files, 0o755)
        os.chmod(plugin, 0o757)
        misc = unit.root / "etc/misc.ini"
        misc.write_text(misc.read_text().replace(str(unit.build / "lib/libsmtpimap4.so"), str(plugin)))
        identity = unit.add("101", media.recording("vm-intro"))
        done = unit.once(status=78)
        self.assertIn(str(plugin), done.stdout + done.stderr)
        delivery = unit.delivery(identity)
        self.assertIn(delivery["state"], ("queued", "deferred"))
        self.assertEqual(0, delivery["attempts"])

    def test_closed_standard_streams(self):
        """Nothing opened later may get descriptor 0, 1 or 2: the lock would be lost with it."""
        unit = self.unit()
        starts = []
        for _ in range(2):
            agent = " ".join(map(shlex.quote, unit.command("vmemaild")))
            starts.append(subprocess.run(["/bin/sh", "-c", f"exec {agent} <&- >&- 2>&-"]).returncode)
            self.addCleanup(self.stop_agents, unit)
        self.assertEqual([0, 69], starts)
        # (What told its status to its parent may be on its way out still.)
        wait_until("end of the second", lambda: len(self.masters(unit)) == 1)
        # A program that cannot answer says so by its status.
        for program, *arguments in (("vmctl", "status"), ("vmconfig", "misc", "list")):
            command = " ".join(map(shlex.quote, unit.command(program, *arguments)))
            self.assertEqual(69, subprocess.run(["/bin/sh", "-c", f"exec {command} <&- >&- 2>&-"]).returncode)

    def masters(self, unit):
        """The process ids of the agents on the unit's root, without their workers."""
        agents = {}
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                arguments = (process / "cmdline").read_bytes().split(b"\0")
                status = (process / "status").read_text()
            except OSError:
                continue
            if str(unit.root).encode() in arguments and b"vmemaild" in arguments[0]:
                agents[int(process.name)] = int(re.search(r"^PPid:\s*(\d+)", status, re.M)[1])
        return [pid for pid, parent in agents.items() if parent not in agents]

    def stop_agents(self, unit):
        for pid in self.masters(unit):
            os.kill(pid, signal.SIGTERM)
        wait_until("end of the agents", lambda: not self.masters(unit))

    def test_a_unit_that_may_not_be_read(self):
        unit = self.unit()
        os.chmod(unit.root, 0o755)
        os.chmod(unit.root / "etc", 0o700)
        if os.getuid() != 0:
            self.skipTest("takes another user")
        nobody = pwd.getpwnam("nobody").pw_uid
        # By descriptor, because the build tree may lie where that user cannot go.
        with open(unit.build / "bin/vmemaild", "rb") as program:
            for argument in ("--check", "--dry-run"):
                done = subprocess.run(
                    unit.command("vmemaild", argument),
                    executable=f"/proc/self/fd/{program.fileno()}",
                    pass_fds=[program.fileno()],
                    capture_output=True,
                    text=True,
                    user=nobody,
                    group=nobody,
                )
                self.refused(done, 77, str(unit.root), "Permission denied")

    def test_directories_that_are_gone(self):
        unit = self.unit()
        self.mailbox(unit)
        identity = unit.add("101", media.recording("vm-intro"))
        done = subprocess.run(
            unit.command("vmctl", "message", "export", identity, "--as", "eml", "--output", "-"),
            capture_output=True,
            text=True,
            env=dict(os.environ, TMPDIR="/nonexistent"),
        )
        self.refused(done, 69, "TMPDIR", "/nonexistent")
        for program, *arguments in (("vmconfig", "init"), ("vmctl", "status"), ("vmemaild", "--check")):
            gone = self.files / "gone"
            gone.mkdir()
            done = subprocess.run(
                ["/bin/sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", unit.build / "bin" / program, "--root", "r",
                 *arguments],
                cwd=gone, capture_output=True, text=True,
            )  # fmt: skip
            self.refused(done, 66, "working directory", "r")

    def test_an_added_message_is_told_though_standard_output_is_full(self):
        unit = self.unit()
        self.mailbox(unit)
        add = ("message", "add", "--mailbox", "101", "--kind", "voice", "--file", media.recording("vm-intro"))
        with open("/dev/full", "w") as full:
            done = subprocess.run(unit.command("vmctl", *add), stdout=full, stderr=subprocess.PIPE, text=True)
        [message] = json.loads(unit.ctl("message", "list", "--json").stdout)["messages"]
        self.refused(done, 69, f"the message is stored as {message['id']}")

    def test_an_added_message_is_told_though_nobody_listens(self):
        unit = self.unit()
        self.mailbox(unit)
        add = ("message", "add", "--mailbox", "101", "--kind", "voice", "--file", media.recording("vm-intro"))
        reader, writer = os.pipe()
        os.close(reader)
        # (Python has the signal ignored, and gives that to nobody who does not ask for it.)
        done = subprocess.run(
            unit.command("vmctl", *add), stdout=writer, stderr=subprocess.PIPE, text=True, restore_signals=True
        )
        os.close(writer)
        [message] = json.loads(unit.ctl("message", "list", "--json").stdout)["messages"]
        self.refused(done, 69, f"the message is stored as {message['id']}")

    def at_the_password_prompt(self, unit, command):
        """Starts a program on a terminal of its own; returns the process and the terminal when it asks."""
        try:
            master, slave = pty.openpty()
        except OSError as problem:
            self.skipTest(f"takes a pseudo-terminal: {problem}")
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)

        def own_terminal():
            # (A shell without job control starts what runs in the background with SIGINT ignored, nohup with SIGHUP.)
            for number in (signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            dies_with_parent()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, preexec_fn=own_terminal
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.read_until(master, b"Smtp Password: ")
        self.assertFalse(termios.tcgetattr(slave)[3] & termios.ECHO)
        return process, master, slave

    def read_until(self, terminal, words):
        seen = b""
        while words not in seen:
            ready, _, _ = select.select([terminal], [], [], vmunit.COMMAND_SECONDS)
            self.assertTrue(ready, seen)
            seen += os.read(terminal, 1000)
        return seen

    def test_the_password_prompt_leaves_the_terminal_as_it_was(self):
        unit = self.unit()
        self.mailbox(unit)
        command = unit.command("vmconfig", "mailbox", "set", "101", "Smtp Password=-")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process, master, slave = self.at_the_password_prompt(unit, command)
            if number == signal.SIGINT:
                os.write(master, b"half\x03")  # Ctrl-C
            else:
                process.send_signal(number)
            self.assertEqual(-number, process.wait(vmunit.COMMAND_SECONDS))
            self.assertTrue(termios.tcgetattr(slave)[3] & termios.ECHO, number)
        self.assertIn("Smtp Password                (blank)", unit.config("mailbox", "show", "101").stdout)
        # Stopped by Ctrl-Z in a shell with job control, and taken up again.
        script = 'set -m; "$@"; stty -a | grep -owe "-\\?echo"; fg'
        process, master, slave = self.at_the_password_prompt(unit, ["/bin/sh", "-c", script, "sh", *command])
        os.write(master, b"half\x1a")
        seen = self.read_until(master, b"Smtp Password: ")
        self.assertIn(b"\necho\r", seen)
        os.write(master, b"s3cret\n")
        self.assertEqual(0, process.wait(vmunit.COMMAND_SECONDS))
        self.assertTrue(termios.tcgetattr(slave)[3] & termios.ECHO)
        self.assertNotIn(b"s3cret", seen + self.read_until(master, b"\n"))
        self.assertIn("Smtp Password                (set)", unit.config("mailbox", "show", "101").stdout)

    def test_export_is_the_mail_as_it_would_be_sent(self):
        unit = self.unit()
        self.mailbox(unit)
        identity = unit.add("101", media.recording("vm-intro"))
        unit.ctl("message", "export", identity, "--as", "eml", "--output", self.files / "m.eml")
        unit.ctl("message", "export", identity, "--as", "media", "--output", self.files / "m.wav")
        self.assertEqual(media.recording("vm-intro").read_bytes(), (self.files / "m.wav").read_bytes())
        self.assertIn(f"X-VM-Message-Id: {identity}\r\n".encode(), (self.files / "m.eml").read_bytes())


if __name__ == "__main__":
    vmunit.main()
