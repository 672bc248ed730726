#!/usr/bin/env python3
"""The running agent: takes up edits, survives its workers, is delayed by nobody, stops cleanly."""

import base64
import concurrent.futures
import email
import json
import os
import signal
import socket
import sqlite3
import unittest

import media
import vmunit
from mailrig import MailRig, free_port, wait_until
from passwords import PASSWORD
from scriptedsmtp import ScriptedSmtp

rig = None
users = None


def setUpModule():
    global rig, users
    rig = unittest.enterModuleContext(MailRig({f"user{n}": PASSWORD for n in range(100)}))
    users = iter(rig.users)


class AgentTest(vmunit.TestCase):
    def setUp(self):
        super().setUp()
        self.user = next(users)

    def running(self, *mailboxes):
        """A unit with an agent that has its workers up."""
        unit = self.unit()
        for number, user in mailboxes or (("101", self.user),):
            unit.mailbox(number, rig, user)
        agent = unit.agent()
        self.addCleanup(agent.stop)
        agent.wait_for_workers()
        return unit, agent

    def test_delivers_what_comes_and_stops_on_sigterm(self):
        unit, agent = self.running()
        first = unit.add("101", media.recording("vm-intro"))
        rig.wait_for_mail(self.user, 1)
        second = unit.add("101", media.recording("vm-goodbye"))
        rig.wait_for_mail(self.user, 2)
        unit.wait_for_state(first, "sent")
        unit.wait_for_state(second, "sent")
        workers = agent.workers()
        self.assertEqual(0, agent.stop())
        for worker in workers:
            self.assertFalse(os.path.exists(f"/proc/{worker}"), "a worker outlived the master")

    def test_delivers_what_came_while_it_was_away(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user)
        identity = unit.add("101", media.recording("vm-intro"))
        with unit.agent():
            rig.wait_for_mail(self.user, 1)
            unit.wait_for_state(identity, "sent")

    def test_takes_up_edits_of_a_mailbox(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user, Smtp_Port=free_port())
        with unit.agent() as agent:
            agent.wait_for_workers()
            identity = unit.add("101", media.recording("vm-intro"))
            unit.wait_for_state(identity, "deferred")
            unit.set("101", Smtp_Port=rig.ports["starttls"])
            unit.ctl("queue", "retry", identity)
            rig.wait_for_mail(self.user, 1)
            unit.wait_for_state(identity, "sent")

    def test_takes_up_a_new_mailbox(self):
        unit, _ = self.running()
        other = next(users)
        unit.mailbox("102", rig, other)
        unit.add("102", media.recording("vm-intro"))
        rig.wait_for_mail(other, 1)

    def test_keeps_the_last_good_value_and_names_the_bad_one(self):
        unit, _ = self.running()
        unit.add("101", media.recording("vm-intro"))
        rig.wait_for_mail(self.user, 1)
        file = unit.root / "etc/mailboxes/101.ini"
        lines = [
            "Smtp SSL = Sometimes" if line.lower().startswith("smtp ssl") else line
            for line in file.read_text().splitlines()
        ]
        bad = 1 + lines.index("Smtp SSL = Sometimes")
        file.write_text("\n".join(lines) + "\n")  # by hand, mode kept
        wait_until(
            lambda: "report of the bad value; " + unit.trace(),
            lambda: any("Sometimes" in l and str(bad) in l and "101.ini" in l for l in unit.trace().splitlines()),
        )
        unit.add("101", media.recording("vm-goodbye"))
        rig.wait_for_mail(self.user, 2)

    def test_switches_the_plugin(self):
        unit, _ = self.running()
        unit.add("101", media.recording("vm-intro"))
        rig.wait_for_mail(self.user, 1)
        for count, name in enumerate(("libsmtppop3.so", "libsmtpimap4.so"), 2):
            seen = unit.trace().count(name)
            unit.use_plugin(name)
            wait_until(f"{name} in the trace", lambda: unit.trace().count(name) > seen)
            unit.add("101", media.recording("vm-intro"))
            rig.wait_for_mail(self.user, count)

    def test_a_plugin_that_is_missing_is_named_and_comes_back(self):
        unit, agent = self.running()
        unit.config("misc", "set", "g_szEmailDllPath", "lib/none.so", status=None)
        misc = unit.root / "etc/misc.ini"
        content = misc.read_text()
        if "none.so" not in content:  # vmconfig looks at the file; by hand it goes in all the same
            misc.write_text(content.replace(str(unit.build / "lib/libsmtpimap4.so"), "lib/none.so"))
        wait_until("report of the missing plugin", lambda: "none.so" in unit.trace())
        unit.use_plugin("libsmtpimap4.so")
        unit.add("101", media.recording("vm-intro"))
        rig.wait_for_mail(self.user, 1)
        self.assertIsNone(agent.process.poll())

    def test_a_killed_worker_is_started_again(self):
        unit, agent = self.running()
        before = agent.wait_for_workers()
        for worker in before:
            os.kill(worker, signal.SIGKILL)
        wait_until("new workers", lambda: agent.workers() and not set(before) & set(agent.workers()))
        identity = unit.add("101", media.recording("vm-intro"))
        rig.wait_for_mail(self.user, 1)
        unit.wait_for_state(identity, "sent")

    def test_a_worker_killed_in_the_dialogue_leaves_the_message_uncertain(self):
        with ScriptedSmtp({"dot": ScriptedSmtp.STALL}) as server:
            unit = self.unit()
            unit.mailbox("101", rig, self.user, "relay", Smtp_Port=server.port)
            with unit.agent() as agent:
                agent.wait_for_workers()
                identity = unit.add("101", media.recording("vm-intro"))
                self.assertTrue(server.reached("dot").wait(60))
                self.assertEqual("sending", unit.state(identity))
                for worker in agent.workers():
                    os.kill(worker, signal.SIGKILL)
                unit.wait_for_state(identity, "uncertain")
                server.script.clear()
                unit.ctl("queue", "retry", identity)
                unit.wait_for_state(identity, "sent")
            first, second = (email.message_from_bytes(m) for m in server.received)
            self.assertEqual(first["Message-ID"], second["Message-ID"])

    def test_a_killed_master_takes_its_workers_along_and_loses_nothing(self):
        unit, agent = self.running()
        workers = agent.workers()
        agent.process.kill()
        agent.process.wait()
        wait_until("end of the workers", lambda: not any(os.path.exists(f"/proc/{w}") for w in workers))
        identity = unit.add("101", media.recording("vm-intro"))
        with unit.agent():
            rig.wait_for_mail(self.user, 1)
            unit.wait_for_state(identity, "sent")

    def test_a_dead_server_does_not_delay_another_mailbox(self):
        other = next(users)
        with ScriptedSmtp({"greeting": ScriptedSmtp.STALL}) as dead:
            unit = self.unit()
            for number in range(110, 118):  # more than there are threads to get stuck in
                unit.mailbox(str(number), rig, self.user, "relay", Smtp_Port=dead.port)
            unit.mailbox("102", rig, other)
            with unit.agent() as agent:
                agent.wait_for_workers()
                stuck = [unit.add(str(n), media.recording("vm-intro")) for n in range(110, 118)]
                self.assertTrue(dead.reached("greeting").wait(60))
                identity = unit.add("102", media.recording("vm-goodbye"))
                rig.wait_for_mail(other, 1)
                unit.wait_for_state(identity, "sent")
                # Nobody has let go of the dead server in the meantime: that is what "not delayed" means.
                self.assertIn("sending", [unit.state(s) for s in stuck])
                self.assertNotIn("sent", [unit.state(s) for s in stuck])
                self.assertEqual(0, agent.stop(), "SIGTERM does not wait for the dead server either")
            # Cancelled before any message was handed over: nothing is uncertain.
            for identity in stuck:
                self.assertIn(unit.state(identity), ("queued", "deferred"))

    def test_sigterm_waits_for_the_reply_to_the_final_dot(self):
        with ScriptedSmtp() as server:
            server.script["dot"] = "250 2.0.0 taken late"
            unit = self.unit()
            unit.mailbox("101", rig, self.user, "relay", Smtp_Port=server.port)
            hold = server.hold("dot")
            agent = unit.agent()
            self.addCleanup(agent.stop)
            identity = unit.add("101", media.recording("vm-intro"))
            self.assertTrue(server.reached("dot").wait(60))
            agent.process.send_signal(signal.SIGTERM)
            wait_until(lambda: "note of the signal; " + unit.trace(), lambda: "stop" in unit.trace().lower())
            self.assertIsNone(agent.process.poll())
            hold.set()
            self.assertEqual(0, agent.stop())
            self.assertEqual("sent", unit.state(identity))
            self.assertIn("taken late", unit.delivery(identity)["last_reply"])

    def test_only_one_agent_a_root(self):
        unit, _ = self.running()
        second = unit.run("vmemaild", "--foreground", status=None)
        self.assertNotEqual(0, second.returncode)
        self.assertEqual(1, len(second.stderr.strip().splitlines()), second.stderr)
        self.assertIn("vmemaild", second.stderr)

    def test_status_tells_what_is_wrong(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user, Smtp_Password="wrong")
        unit.add("101", media.recording("vm-intro"))
        unit.once(status=75)
        [mailbox] = json.loads(unit.ctl("status", "--json").stdout)["mailboxes"]
        self.assertEqual(("101", "error"), (mailbox["mailbox"], mailbox["state"]))
        self.assertIn("535", mailbox["reason"])
        self.assertEqual(1, mailbox["deferred"])

    def test_one_mailbox_with_a_wrong_ca_does_not_stop_its_neighbour(self):
        other = next(users)
        unit = self.unit()
        unit.mailbox("101", rig, self.user, "tls")
        unit.set("101", TLS_CA_File=rig.stranger_ca_file)
        unit.mailbox("102", rig, other, "tls")
        wrong = unit.add("101", media.recording("vm-intro"))
        right = unit.add("102", media.recording("vm-intro"))
        unit.once(status=75)
        self.assertEqual(("deferred", "sent"), (unit.state(wrong), unit.state(right)))

    def test_retry_ends_the_pause_of_a_server_that_was_down(self):
        port = free_port()
        unit = self.unit()
        unit.mailbox("101", rig, self.user, Smtp_Port=port)
        with unit.agent() as agent:
            agent.wait_for_workers()
            first = unit.add("101", media.recording("vm-intro"))
            unit.wait_for_state(first, "deferred")
            second = unit.add("101", media.recording("vm-goodbye"))
            self.assertEqual("queued", unit.state(second), "tried while its server is known to be down")
            [mailbox] = json.loads(unit.ctl("status", "--json").stdout)["mailboxes"]
            self.assertEqual("error", mailbox["state"], "the reason is gone while nothing is delivered")
            self.assertIn(str(port), mailbox["reason"])
            unit.set("101", Smtp_Port=rig.ports["starttls"])
            unit.ctl("queue", "retry")
            rig.wait_for_mail(self.user, 2)
            unit.wait_for_state(second, "sent")

    def lock_of(self, unit):
        """Holds the store's write lock; commit() lets go of it."""
        connection = sqlite3.connect(unit.root / "var/vm.db", isolation_level=None)
        self.addCleanup(connection.close)
        connection.execute("BEGIN IMMEDIATE")
        return connection

    def status(self, unit, number):
        [mailbox] = [
            m for m in json.loads(unit.ctl("status", "--json").stdout)["mailboxes"] if m["mailbox"] == number
        ]
        return mailbox

    def test_an_acceptance_that_could_not_be_recorded_is_recorded_later(self):
        with ScriptedSmtp() as server:
            unit = self.unit()
            unit.mailbox("101", rig, self.user, "relay", Smtp_Port=server.port)
            hold = server.hold("dot")
            with unit.agent():
                identity = unit.add("101", media.recording("vm-intro"))
                self.assertTrue(server.reached("dot").wait(60))
                lock = self.lock_of(unit)
                hold.set()
                wait_until("failure to record", lambda: "could not be recorded" in unit.trace())
                lock.execute("COMMIT")
                unit.wait_for_state(identity, "sent")
                wait_until("end of the reported problem", lambda: self.status(unit, "101")["state"] == "ok")
            self.assertEqual(1, len(server.messages))

    def test_a_recovery_that_failed_is_done_again(self):
        with ScriptedSmtp({"dot": ScriptedSmtp.STALL}) as server:
            unit = self.unit()
            unit.mailbox("101", rig, self.user, "relay", Smtp_Port=server.port)
            agent = unit.agent()
            self.addCleanup(agent.stop)
            identity = unit.add("101", media.recording("vm-intro"))
            self.assertTrue(server.reached("dot").wait(60))
            workers = agent.workers()
            agent.process.kill()
            agent.process.wait()
            for worker in workers:  # they would wait for the reply
                os.kill(worker, signal.SIGKILL)
            wait_until("end of the workers", lambda: not any(os.path.exists(f"/proc/{w}") for w in workers))
            self.assertEqual("sending", unit.state(identity))
            lock = self.lock_of(unit)
            with unit.agent():
                wait_until("failed recovery", lambda: "recovery:" in unit.trace())
                lock.execute("COMMIT")
                unit.wait_for_state(identity, "uncertain")

    def test_an_edit_reaches_a_mailbox_in_the_middle_of_its_queue(self):
        with ScriptedSmtp() as server:
            unit = self.unit()
            unit.mailbox("101", rig, self.user, "relay", Smtp_Port=server.port)
            hold = server.hold("dot")
            identities = [unit.add("101", media.recording("vm-intro")) for _ in range(3)]
            with unit.agent():
                self.assertTrue(server.reached("dot").wait(60))
                unit.set("101", Email_Integration="No")
                wait_until("edit taken up", lambda: "101: its options changed" in unit.trace())
                hold.set()
                for identity in identities[1:]:
                    unit.wait_for_state(identity, "off")
            self.assertEqual(["sent", "off", "off"], sorted(map(unit.state, identities), reverse=True))
            self.assertEqual(1, len(server.received))

    def test_one_accounts_trouble_does_not_stop_its_neighbour(self):
        def auth(line):
            throttled = b"busy" in base64.b64decode(line.split()[-1])
            return "454 4.7.0 too many login attempts" if throttled else "235 2.7.0 welcome"

        with ScriptedSmtp({"EHLO": "250-scripted\r\n250 AUTH PLAIN", "AUTH": auth}) as server:
            unit = self.unit()
            for number, account in (("101", "busy"), ("103", "quiet")):  # one worker serves both
                options = {"Smtp_Authentication": "Plain", "Allow_Cleartext_Password": "Yes", "Smtp_Account": account}
                unit.mailbox(number, rig, self.user, "relay", Smtp_Port=server.port, **options)
            with unit.agent():
                first = unit.add("101", media.recording("vm-intro"))
                unit.wait_for_state(first, "deferred")
                second = unit.add("103", media.recording("vm-intro"))
                unit.wait_for_state(second, "sent")
                self.assertIn("454", self.status(unit, "101")["reason"])
                self.assertEqual("ok", self.status(unit, "103")["state"])

    def test_an_edit_elsewhere_leaves_a_problem_where_it_is(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user, Smtp_Port=free_port())
        unit.mailbox("103", rig, self.user)
        with unit.agent():
            identity = unit.add("101", media.recording("vm-intro"))
            unit.wait_for_state(identity, "deferred")
            wait_until("reported problem", lambda: self.status(unit, "101")["state"] == "error")
            unit.set("103", Email_Integration="No")
            wait_until("edit taken up", lambda: "103: its options changed" in unit.trace())
            self.assertEqual("error", self.status(unit, "101")["state"])

    def test_many_messages_of_some_do_not_hold_up_the_one_of_another(self):
        busy, each = ("102", "104", "106", "108"), 105
        with ScriptedSmtp() as server:
            unit = self.unit()
            for number in (*busy, "150"):  # one worker, one server
                unit.mailbox(number, rig, self.user, "relay", Smtp_Port=server.port)
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda n: unit.add(n, media.recording("vm-intro")), busy * each))
            one = unit.add("150", media.recording("vm-intro"))
            with unit.agent():
                unit.wait_for_state(one, "sent")
            mails = [email.message_from_bytes(m)["X-VM-Mailbox"] for m in server.messages]
            self.assertLess(mails.index("150"), 3 * each, "150 was served when the others were done")

    def test_a_mailbox_with_nothing_to_do_is_left_alone(self):
        with ScriptedSmtp({"dot": ScriptedSmtp.DROP}) as server:
            unit = self.unit()
            unit.config("misc", "set", "TraceLevelOverride", "True")
            unit.mailbox("101", rig, self.user, "relay", Smtp_Port=server.port)
            identity = unit.add("101", media.recording("vm-intro"))
            unit.once(status=75)
            self.assertEqual("uncertain", unit.state(identity))
            unit.ctl("queue", "retry", identity)
            unit.set("101", Email_Integration="No")  # it stays uncertain, and must not be sent
            unit.mailbox("103", rig, self.user)
            before = unit.trace().count("101: turn")
            with unit.agent():
                for _ in range(3):  # something to do for its worker
                    unit.wait_for_state(unit.add("103", media.recording("vm-intro")), "sent")
            turns = unit.trace().count("101: turn") - before
            self.assertTrue(1 <= turns <= 50, f"{turns} turns over a queue in which nothing was due")

    def test_a_store_that_cannot_be_opened_is_not_tried_without_pause(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user)
        unit.add("101", media.recording("vm-intro"))
        with sqlite3.connect(unit.root / "var/vm.db") as store:
            store.execute("UPDATE schema_version SET version = 99")
        store.close()
        failure = "newer program"
        before = unit.trace().count(failure)
        with unit.agent() as agent:
            wait_until("failure to open", lambda: unit.trace().count(failure) > before)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as control:
                control.sendto(b"101\n", str(unit.root / "run/vmemaild.sock"))
            wait_until("another try of both workers", lambda: unit.trace().count(failure) >= before + 4)
            self.assertLess(unit.trace().count(failure), before + 20)

    def test_the_background_agent_lets_go_of_its_callers_pipes(self):
        unit = self.unit()
        # Ends only when the last process that holds the pipes has closed them.
        unit.run("vmemaild")
        pid = int((unit.root / "run/vmemaild.lock").read_text())
        os.kill(pid, signal.SIGTERM)
        wait_until("end of the agent", lambda: not os.path.exists(f"/proc/{pid}"))

    def test_damaged_media_is_not_sent(self):
        unit = self.unit()
        unit.mailbox("101", rig, self.user)
        identity = unit.add("101", media.recording("vm-intro"))
        [stored] = (unit.root / "var/media").glob("*/*.wav")
        stored.write_bytes(stored.read_bytes()[:3000])
        done = unit.once(status=69)
        self.assertIn("damaged", done.stderr)
        self.assertEqual("failed", unit.state(identity))


if __name__ == "__main__":
    vmunit.main()
