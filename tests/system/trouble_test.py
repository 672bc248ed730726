#!/usr/bin/env python3
"""Operating the unit in trouble: what waits or failed is told with the reason and the next step, and a
person can have it tried now, later or not at all."""

import datetime
import json
import os
import socket
import subprocess

import media
import vmunit
from mailrig import free_port
from passwords import PASSWORD
from scriptedsmtp import ScriptedSmtp

RECORDING = "digits/1"


def from_now(seconds):
    time = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TroubleTest(vmunit.TestCase):
    def unit_with(self, *numbers, **options):
        unit = self.unit()
        for number in numbers or ("101",):
            unit.config("mailbox", "create", number)
            values = {"Email_Integration": "Yes", "Email_Name": "ann@example.com", "Smtp_Server": "127.0.0.1"}
            unit.set(number, **{**values, **options})
        return unit

    def add(self, unit, number="101"):
        return unit.add(number, media.recording(RECORDING))

    def status(self, unit, number="101"):
        mailboxes = json.loads(unit.ctl("status", "--json").stdout)["mailboxes"]
        return next(mailbox for mailbox in mailboxes if mailbox["mailbox"] == number)

    def test_too_few_descriptors_end_a_single_run(self):
        """Whatever it is that cannot be opened: the run ends, and says so."""
        with ScriptedSmtp() as server:
            unit = self.unit_with(Smtp_Port=server.port)
            waiting = self.add(unit)
            for limit in range(3, 60):
                unit.ctl("queue", "retry")
                done = subprocess.run(
                    ["prlimit", f"--nofile={limit}", *unit.command("vmemaild", "--once")],
                    capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=vmunit.COMMAND_SECONDS,
                )  # fmt: skip
                if done.returncode == 0:
                    break
                self.assertTrue(done.stderr or "deferred" in done.stdout, f"{limit}: {done.stdout}")
            self.assertEqual("sent", unit.state(waiting))

    def test_a_trace_that_is_no_file(self):
        unit = self.unit_with()
        file = unit.root / "var/trace/vmemaild.trace"
        os.mkfifo(file)
        self.assertIn(f"open trace: {file}: it is no file to write to; remove it", unit.once(status=77).stderr)

    def test_a_summary_that_nobody_takes(self):
        unit = self.unit_with()
        with open("/dev/full", "w") as full:
            done = subprocess.run(unit.command("vmemaild", "--once"), stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertIn("standard output: it takes no more data; what is due has been done", done.stderr)

    # ---- later, or not at all -------------------------------------------------------------------------
    def test_what_is_postponed_waits_until_a_person_says_otherwise(self):
        with ScriptedSmtp() as server:
            unit = self.unit_with(Smtp_Port=server.port)
            later = self.add(unit)
            unit.ctl("queue", "postpone", later, "--for", "400d")
            unit.once(status=75)
            self.assertEqual("deferred", unit.state(later))
            with unit.agent() as agent:
                agent.wait_for_workers()
                for _ in range(2):  # a poke, a turn and a look at the queue each
                    unit.wait_for_state(self.add(unit), "sent")
                    self.assertEqual("deferred", unit.state(later))
                self.assertEqual(0, unit.delivery(later)["attempts"])
                self.assertEqual("ok", self.status(unit)["state"])
                unit.ctl("queue", "retry", later)
                unit.wait_for_state(later, "sent")
            self.assertEqual(3, len(server.messages))

    def test_what_is_postponed_is_sent_when_its_time_has_come(self):
        with ScriptedSmtp() as server:
            unit = self.unit_with(Smtp_Port=server.port)
            hold = server.hold("MAIL")
            first, later = self.add(unit), self.add(unit)  # one turn's
            with unit.agent():
                self.assertTrue(server.reached("MAIL").wait(60))
                until = from_now(3)
                unit.ctl("queue", "postpone", later, "--until", until)
                hold.set()
                unit.wait_for_state(first, "sent")
                unit.wait_for_state(later, "sent")
            begun = [line["time"] for line in unit.history(later) if line["to"] == "sending"]
            self.assertEqual(1, len(begun))
            self.assertGreaterEqual(begun[0], until)

    def test_what_a_person_gives_up_is_not_sent(self):
        with ScriptedSmtp() as server:
            unit = self.unit_with(Smtp_Port=server.port)
            identity = self.add(unit)
            unit.ctl("queue", "give-up", identity, "--reason", "wrong number")
            unit.once()
            self.assertEqual("failed", unit.state(identity))
            self.assertEqual("given up by a person: wrong number", unit.history(identity)[-1]["reply"])
            self.assertEqual([], server.messages)
            unit.ctl("queue", "retry", identity)
            unit.once()
            self.assertEqual("sent", unit.state(identity))

    def test_one_that_is_being_sent_is_left_to_its_dialogue(self):
        with ScriptedSmtp() as server:
            unit = self.unit_with(Smtp_Port=server.port)
            hold = server.hold("dot")
            with unit.agent() as agent:
                agent.wait_for_workers()
                identity = self.add(unit)
                self.assertTrue(server.reached("dot").wait(60))
                for command in (["postpone", identity, "--for", "1h"], ["give-up", identity]):
                    self.assertIn("being sent right now", unit.ctl("queue", *command, status=65).stderr)
                hold.set()
                unit.wait_for_state(identity, "sent")

    def test_an_uncertain_one_can_be_given_up(self):
        with ScriptedSmtp({"dot": ScriptedSmtp.DROP}) as server:
            unit = self.unit_with(Smtp_Port=server.port)
            identity = self.add(unit)
            unit.once(status=75)
            unit.ctl("queue", "give-up", identity)
            self.assertEqual("failed", unit.state(identity))
            self.assertIn("it may have arrived", unit.history(identity)[-1]["reply"])
            unit.once()
            self.assertEqual(1, len(server.received))

    # ---- reason and next step ---------------------------------------------------------------------------
    def check_told(self, unit, identity, status, history):
        """The reason and the next step, in the status and in the history."""
        reason = self.status(unit)["reason"]
        for part in status:
            self.assertIn(part, reason)
        told = unit.ctl("message", "history", identity).stdout
        for part in history:
            self.assertIn(part, told)
        self.assertIn("Next step: ", told)
        self.assertIn("Next step: ", unit.ctl("message", "show", identity).stdout)

    def test_a_server_that_is_down(self):
        unit = self.unit_with(Smtp_Port=free_port())
        tried, untried = self.add(unit), self.add(unit)
        unit.once(status=75)
        reason = ("Connection refused", "tried again by itself", "vmctl queue retry")
        words = ("Connection refused", "tried again at", f"vmctl queue retry {tried}", "no agent has looked since", "no agent runs")
        self.check_told(unit, tried, reason, words)
        self.check_told(unit, untried, reason, ("it waits for its turn; but", "Connection refused"))

    def test_accounts_that_wait_for_a_server(self):
        numbers = [str(number) for number in range(101, 107)]
        for silent in (False, True):
            with self.subTest(silent=silent), socket.create_server(("127.0.0.1", 0)) as server:
                options = {"Imap4_Account": "ann", "Imap4_Password": PASSWORD, "Allow_Cleartext_Password": "Yes"}
                port = server.getsockname()[1] if silent else free_port()
                unit = self.unit_with(*numbers, Imap4_Server="127.0.0.1", Imap4_Port=port, Network_Timeout=2, **options)
                for _ in range(2):  # which of them was tried changes
                    said = unit.once(status=75).stderr
                    for number in numbers:
                        self.assertIn(f"{number}: sync with 127.0.0.1:{port}", said)
                        self.assertEqual("error", self.status(unit, number)["state"], number)

    def test_a_refusal(self):
        with ScriptedSmtp({"RCPT": "550 5.1.1 no such user"}) as server:
            unit = self.unit_with(Smtp_Port=server.port)
            identity = self.add(unit)
            unit.once(status=69)
            self.check_told(unit, identity, (), ("550 5.1.1 no such user", f"vmctl queue retry {identity}"))
            self.assertIn("1 delivery has failed", unit.ctl("status").stdout)
            self.assertIn("550 5.1.1", unit.ctl("queue", "list").stdout)

    def test_a_lost_reply(self):
        with ScriptedSmtp({"dot": ScriptedSmtp.DROP}) as server:
            unit = self.unit_with(Smtp_Port=server.port)
            identity = self.add(unit)
            unit.once(status=75)
            words = ("closed the connection", "it may have arrived", f"vmctl queue retry {identity}")
            self.check_told(unit, identity, ("closed the connection", "tried again by itself"), words)

    def test_options_that_are_invalid(self):
        unit = self.unit_with()
        identity = self.add(unit)
        file = unit.root / "etc/mailboxes/101.ini"
        file.write_text(file.read_text().replace("127.0.0.1", "127.0.0.1\nSmtp Sll = Yes\nSmtp SSL = Maybe"))
        unit.once(status=78)
        self.check_told(unit, identity, ("101.ini line", "Smtp SSL"), ("but mailbox 101 is in trouble: ", "101.ini line"))

    def test_no_seat(self):
        unit = self.unit_with("100", "101")
        misc = unit.root / "etc/misc.ini"
        lines = misc.read_text().splitlines()
        lines[1 + lines.index("[g_nUnifiedMessagingSeats]")] = "Value = 1"
        misc.write_text("\n".join(lines) + "\n")
        identity = self.add(unit)
        unit.once(status=78)
        words = ("g_nUnifiedMessagingSeats allows 1 mailbox", "raise it, or set Email Integration = No elsewhere")
        self.check_told(unit, identity, words, ("but mailbox 101 is in trouble: no seat",))

    def test_a_plugin_that_is_refused(self):
        unit = self.unit_with()
        identity = self.add(unit)
        misc = unit.root / "etc/misc.ini"
        misc.write_text(misc.read_text().replace(str(unit.build / "lib/libsmtpimap4.so"), "lib/none.so"))
        unit.once(status=78)
        words = ("none.so", "No such file", "check g_szEmailDllPath")
        self.check_told(unit, identity, words, ("but mailbox 101 is in trouble: ", "none.so"))
        self.assertIn("mailbox 101 is in trouble: ", unit.ctl("queue", "list").stdout)

    def test_a_mailbox_that_is_off(self):
        unit = self.unit_with(Email_Integration="No")
        identity = self.add(unit)
        self.assertEqual("off", self.status(unit)["state"])
        words = (
            'Email Integration is No: `vmconfig mailbox set 101 "Email Integration=Yes"`',
            f"vmctl queue retry {identity}",
        )
        self.check_told(unit, identity, ("Email Integration is No",), words)
        # What is told, done.
        with ScriptedSmtp() as server:
            unit.set("101", Email_Integration="Yes", Smtp_Port=server.port)
            unit.config("misc", "set", "g_bUseEmailIntegration", "False")
            words = "g_bUseEmailIntegration is False: `vmconfig misc set g_bUseEmailIntegration True`"
            self.check_told(unit, identity, ("g_bUseEmailIntegration",), (words,))
            unit.config("misc", "set", "g_bUseEmailIntegration", "True")
            unit.config("mailbox", "set", "101", "Email Integration Send Mode=Fax")
            words = (
                "Email Integration Send Mode is Fax: "
                '`vmconfig mailbox set 101 "Email Integration Send Mode=Voice/Fax"`'
            )
            self.check_told(unit, identity, (), (words,))
            unit.config("mailbox", "set", "101", "Email Integration Send Mode=Voice/Fax")
            unit.ctl("queue", "retry", identity)
            self.check_told(unit, identity, (), ("it waits for its turn; but no agent runs; `vmemaild` starts it",))
            unit.once()
            self.assertEqual("sent", unit.state(identity))

    def test_a_person_who_postponed_or_gave_up(self):
        unit = self.unit_with()
        identity = self.add(unit)
        unit.ctl("queue", "postpone", identity, "--until", "2099-01-01T00:00:00Z")
        words = ("postponed by a person until 2099-01-01T00:00:00.000Z", f"vmctl queue retry {identity}")
        self.check_told(unit, identity, (), words)
        self.assertIn("postponed by a person", unit.ctl("queue", "list").stdout)
        unit.ctl("queue", "give-up", identity)
        self.check_told(unit, identity, (), ("given up by a person", f"vmctl queue retry {identity}"))


if __name__ == "__main__":
    vmunit.main()
