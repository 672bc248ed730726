#!/usr/bin/env python3
"""A worker's death costs a reconnect: the mailbox in hand is kept apart, the others never notice."""

import datetime
import json
import os
import pathlib
import re
import shutil
import signal

import media
import vmunit
from mailrig import wait_until
from scriptedsmtp import ScriptedSmtp

RECORDING = "digits/1"


def time_of(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class CrashOnlyTest(vmunit.TestCase):
    """Units with the plugin crash_on_purpose, which the tests arm and disarm by a file."""

    def setUp(self):
        super().setUp()
        os.environ["VM_CRASH_DIRECTORY"] = str(self.files)
        self.addCleanup(os.environ.pop, "VM_CRASH_DIRECTORY")

    # ---- the plugin's files -------------------------------------------------------------------------
    def put(self, name):
        (self.files / name).touch()

    def take(self, name):
        (self.files / name).unlink()

    def lines(self, name):
        file = self.files / name
        return file.read_text().splitlines() if file.exists() else []

    # ---- units --------------------------------------------------------------------------------------
    def crashing_unit(self, *mailboxes):
        """A unit whose mailboxes push to `name`@example.com; 101 and 103 are one worker's, 102
        another's. Mailboxes are (number, name) or (number, name, account)."""
        unit = self.unit()
        unit.config("misc", "set", "g_szEmailDllPath", str(unit.build / "test/libcrash_on_purpose.so"))
        for number, name, *account in mailboxes:
            unit.config("mailbox", "create", number)
            options = {"Email_Integration": "Yes", "Email_Name": f"{name}@example.com", "Smtp_Server": f"{name}.example.com"}
            if account:
                options |= {"Imap4_Server": f"{name}.example.com", "Imap4_Account": account[0]}
            unit.set(number, **options)
        return unit

    def agent_of(self, unit):
        agent = unit.agent()
        self.addCleanup(agent.stop)
        agent.wait_for_workers()
        return agent

    def add(self, unit, number):
        return unit.add(number, media.recording(RECORDING))

    def status(self, unit, number):
        mailboxes = json.loads(unit.ctl("status", "--json").stdout)["mailboxes"]
        return next(mailbox for mailbox in mailboxes if mailbox["mailbox"] == number)

    def wait_for_reason(self, unit, number, *parts):
        """Waits until the mailbox is in state error and its reason has all these parts."""

        def reason_if_right():
            status = self.status(unit, number)
            right = status["state"] == "error" and all(part in status["reason"] for part in parts)
            return status["reason"] if right else None

        told = lambda: f"{parts} as reason; {self.status(unit, number)}; {unit.trace()[-3000:]}"
        return wait_until(told, reason_if_right)

    def wait_for_ok(self, unit, number):
        told = lambda: f"state ok; {self.status(unit, number)}; {unit.trace()[-3000:]}"
        wait_until(told, lambda: self.status(unit, number)["state"] == "ok")

    def starts(self, unit, who):
        return unit.trace().count(f"{who} started")

    # ---- a mailbox that its worker dies of ----------------------------------------------------------
    def test_a_push_that_kills_the_worker_keeps_its_mailbox_apart(self):
        self.put("armed")
        unit = self.crashing_unit(("101", "crash-push"), ("103", "good"), ("102", "other"))
        agent = self.agent_of(unit)
        bad = self.add(unit, "101")
        unit.wait_for_state(bad, "uncertain")
        self.wait_for_reason(unit, "101", "in quarantine", "signal 11 (Segmentation fault)", "while sending its messages")
        unit.wait_for_state(self.add(unit, "103"), "sent")
        unit.wait_for_state(self.add(unit, "102"), "sent")
        self.assertEqual("ok", self.status(unit, "103")["state"])
        self.assertEqual("ok", self.status(unit, "102")["state"])
        replies = [line["reply"] for line in unit.history(bad)]
        self.assertTrue(any("signal 11" in reply and "sending its messages" in reply for reply in replies), replies)

        # Alone it kills only the worker of its own, each time with a longer pause.
        pauses = []
        for times in (2, 3, 4):
            unit.ctl("queue", "retry", bad)
            reason = self.wait_for_reason(unit, "101", f"last of {times} times", "tried again")
            died, again = (time_of(t) for t in re.findall(r" at (\d{4}-\S+Z)", reason))
            pauses.append(round((again - died).total_seconds()))
            self.assertIn("vmctl sync 101", reason)
            unit.wait_for_state(self.add(unit, "103"), "sent")
        self.assertEqual([30, 60, 120], pauses)
        self.assertEqual(2, self.starts(unit, "worker 1"), "it died once, of the first push")
        self.assertEqual(1, self.starts(unit, "worker 0"))
        self.assertEqual("uncertain", unit.state(bad))

        # The status outlives the agent; a new one knows of nothing, and the plugin is mended.
        agent.stop()
        self.assertIn("in quarantine", self.status(unit, "101")["reason"])

    def test_a_mended_mailbox_returns_to_its_share(self):
        self.put("armed")
        unit = self.crashing_unit(("101", "crash-push"), ("103", "good"))
        self.agent_of(unit)
        bad = self.add(unit, "101")
        unit.wait_for_state(bad, "uncertain")
        unit.ctl("queue", "retry", bad)
        self.wait_for_reason(unit, "101", "tried again")
        self.take("armed")
        unit.ctl("queue", "retry", bad)
        unit.wait_for_state(bad, "sent")
        self.wait_for_ok(unit, "101")
        wait_until("return to the share", lambda: "101: out of quarantine" in unit.trace())
        alone = self.starts(unit, "101: worker of its own")
        unit.wait_for_state(self.add(unit, "101"), "sent")
        self.assertEqual(alone, self.starts(unit, "101: worker of its own"))

    def test_a_retry_of_all_ends_the_pause_of_what_is_only_queued(self):
        self.put("armed")
        unit = self.crashing_unit(("101", "good", "crash-look"))
        self.agent_of(unit)
        self.wait_for_reason(unit, "101", "last of 2 times", "tried again")
        for _ in range(5):  # until nobody would wait for the end of the pause
            unit.ctl("sync", "101", status=75)
        waiting = self.add(unit, "101")
        self.take("armed")
        self.assertEqual("queued", unit.state(waiting))
        unit.ctl("queue", "retry")
        unit.wait_for_state(waiting, "sent")

    def test_a_look_that_kills_the_worker_keeps_its_mailbox_apart(self):
        self.put("armed")
        unit = self.crashing_unit(("101", "good", "crash-look"), ("103", "other", "quiet"))
        self.agent_of(unit)
        self.wait_for_reason(unit, "101", "signal 11", "while synchronising its account", "last of 2 times", "tried again")
        unit.wait_for_state(self.add(unit, "103"), "sent")
        self.assertEqual(0, unit.ctl("sync", "103").returncode)
        self.assertEqual(2, self.starts(unit, "worker 1"), "its share has nothing to do with it any more")
        # A person who asks is told, and not kept waiting.
        done = unit.ctl("sync", "101", status=75)
        self.assertIn("in quarantine", done.stderr)
        self.assertIn("last of 3 times", done.stderr)
        waiting = self.add(unit, "101")
        # An edit ends the pause.
        self.take("armed")
        unit.set("101", Language="en")
        self.wait_for_ok(unit, "101")
        unit.wait_for_state(waiting, "sent")
        self.assertEqual(0, unit.ctl("sync", "101").returncode)

    def test_a_recording_that_kills_the_worker_holds_up_no_other(self):
        unit = self.crashing_unit(("101", "good"))
        unit.set("101", Voice_Format="mp3")
        recordings = [media.recording(f"digits/{digit}") for digit in (1, 2, 3, 4)]
        (self.files / "poison").write_text(str(recordings[1].stat().st_size))
        before, poison, after = [unit.add("101", recording) for recording in recordings[:3]]
        unit.environment = vmunit.preloaded(unit.build, "poison_media", VM_POISON=self.files / "poison")
        self.agent_of(unit)
        # It dies with the first in its hands, too, which it had nearly begun to push.
        unit.wait_for_state(before, "uncertain")
        unit.wait_for_state(poison, "uncertain")
        unit.wait_for_state(after, "sent")
        unit.ctl("queue", "retry", before)
        unit.wait_for_state(before, "sent")
        replies = [line["reply"] for line in unit.history(poison)]
        self.assertTrue(any("signal 11" in reply for reply in replies), replies)
        # Whatever becomes due with it goes first.
        unit.ctl("queue", "retry", poison)
        self.wait_for_reason(unit, "101", "in quarantine")
        last = unit.add("101", recordings[3])
        unit.ctl("queue", "retry", poison, last)
        unit.wait_for_state(last, "sent")
        unit.wait_for_state(poison, "uncertain")
        # It is known which one it is, and what to do about it.
        unit.ctl("queue", "give-up", poison)
        unit.ctl("queue", "retry")
        self.wait_for_ok(unit, "101")
        self.assertEqual(3 * ["good@example.com"], self.lines("pushed"))

    def test_a_plugin_that_exits_is_no_better(self):
        self.put("armed")
        unit = self.crashing_unit(("101", "exit-push"), ("103", "good"))
        self.agent_of(unit)
        bad = self.add(unit, "101")
        self.wait_for_reason(unit, "101", "exit status 3", "while sending its messages")
        unit.wait_for_state(self.add(unit, "103"), "sent")
        self.assertEqual("uncertain", unit.state(bad))

    def test_a_plugin_that_crashes_while_it_is_loaded(self):
        """It counts as one that is refused: everybody names it, and a mended one is taken at once."""
        unit = self.crashing_unit(("101", "good"), ("102", "good"))
        plugin = unit.root / "plugin.so"
        shutil.copy(unit.build / "test/libcrash_on_purpose.so", plugin)
        unit.config("misc", "set", "g_szEmailDllPath", str(plugin))
        waiting = [self.add(unit, "101"), self.add(unit, "102")]
        for how, words in (("crash-load", "signal 11 (Segmentation fault)"), ("exit-load", "exit status 0")):
            self.put(how)
            told = f"load plugin: {plugin}: it ended its process by {words}; install the plugin"
            for command in ("--check", "--dry-run", "--once"):
                done = unit.run("vmemaild", command, status=78)
                self.assertIn(told, done.stderr, command)
                self.assertNotIn("uncertain", done.stderr)
            self.assertEqual(["queued", "queued"], [unit.state(message) for message in waiting])
            agent = self.agent_of(unit)
            for number in ("101", "102"):
                self.wait_for_reason(unit, number, told)
            self.assertIn(f"while loading plugin {plugin}", unit.ctl("status").stdout)
            self.assertNotIn("in quarantine", unit.ctl("status").stdout)
            self.take(how)
            os.utime(plugin)
            for message in waiting:
                unit.wait_for_state(message, "sent")
            for number in ("101", "102"):
                self.wait_for_ok(unit, number)
            agent.stop()
            waiting = [self.add(unit, "101"), self.add(unit, "102")]

    def test_of_several_in_hand_the_innocent_are_back_at_once(self):
        unit = self.crashing_unit(("101", "a", "x"), ("103", "b", "y"), ("105", "c", "z"))
        self.put("hold")
        agent = self.agent_of(unit)
        messages = [self.add(unit, number) for number in ("101", "103", "105")]
        wait_until("three dialogues", lambda: len(self.lines("begun")) == 3)
        worker = int(re.findall(r"worker 1 started, process (\d+)", unit.trace())[-1])
        os.kill(worker, signal.SIGKILL)
        for number, message in zip(("101", "103", "105"), messages):
            unit.wait_for_state(message, "uncertain")
            self.wait_for_reason(unit, number, "in quarantine", "signal 9 (Killed)")
        self.take("hold")
        # What may have arrived keeps its pause; the rest goes on meanwhile, and looks are answered.
        for number in ("101", "103", "105"):
            unit.wait_for_state(self.add(unit, number), "sent")
        unit.ctl("queue", "retry")
        for number, message in zip(("101", "103", "105"), messages):
            unit.wait_for_state(message, "sent")
            self.wait_for_ok(unit, number)
        self.assertEqual(sorted(2 * ["a@example.com", "b@example.com", "c@example.com"]), sorted(self.lines("pushed")))
        agent.stop()

    def test_the_agents_health_is_told(self):
        unit = self.crashing_unit(("101", "good"))
        agent = self.agent_of(unit)
        self.assertEqual(0, json.loads(unit.ctl("status", "--json").stdout)["agent"]["recent_deaths"])
        for deaths in (1, 2):
            before = agent.workers()
            os.kill(before[0], signal.SIGABRT)
            wait_until(
                "report of the death",
                lambda: json.loads(unit.ctl("status", "--json").stdout)["agent"]["recent_deaths"] == deaths,
            )
            wait_until("two workers", lambda: len(agent.workers()) == 2 and agent.workers() != before)
        self.assertIn("signal 6", json.loads(unit.ctl("status", "--json").stdout)["agent"]["last_death"]["how"])
        self.assertIn("a worker died 2 times in the last 10 minutes", unit.ctl("status").stdout)
        unit.wait_for_state(self.add(unit, "101"), "sent")

    # ---- deaths from outside --------------------------------------------------------------------------
    def test_an_innocent_mailbox_is_back_in_step_at_once(self):
        with ScriptedSmtp() as server:
            unit = self.unit()
            for number in ("101", "103"):
                unit.config("mailbox", "create", number)
                options = {"Email_Name": "ann@example.com", "Smtp_Server": "127.0.0.1", "Smtp_Port": server.port}
                unit.set(number, Email_Integration="Yes", **options)
            self.agent_of(unit)
            hold = server.hold("MAIL")
            first = self.add(unit, "101")
            self.assertTrue(server.reached("MAIL").wait(60))
            worker = int(re.findall(r"worker 1 started, process (\d+)", unit.trace())[-1])
            os.kill(worker, signal.SIGKILL)
            unit.wait_for_state(first, "uncertain")
            hold.set()
            unit.wait_for_state(self.add(unit, "103"), "sent")
            unit.wait_for_state(self.add(unit, "101"), "sent")
            unit.ctl("queue", "retry", first)
            unit.wait_for_state(first, "sent")
            self.wait_for_ok(unit, "101")
            self.assertEqual(3, len(server.messages))

    def test_a_worker_outlives_its_master_for_half_a_minute_at_most(self):
        with ScriptedSmtp() as server:
            unit = self.unit()
            unit.config("mailbox", "create", "101")
            options = {"Email_Name": "ann@example.com", "Smtp_Server": "127.0.0.1", "Smtp_Port": server.port}
            unit.set("101", Email_Integration="Yes", **options)
            agent = self.agent_of(unit)
            hold = server.hold("dot")
            self.addCleanup(hold.set)
            message = self.add(unit, "101")
            self.assertTrue(server.reached("dot").wait(60))
            worker = int(re.findall(r"worker 1 started, process (\d+)", unit.trace())[-1])
            agent.process.kill()
            agent.process.wait()
            early = unit.run("vmemaild", "--once", status=69)
            self.assertIn("was killed, and a worker of it is ending a dialogue", early.stderr)
            self.assertIn("start again", early.stderr)
            wait_until("end of the worker", lambda: not pathlib.Path(f"/proc/{worker}/exe").exists(), 60)
            hold.set()
            self.agent_of(unit)
            unit.wait_for_state(message, "uncertain")
            # Nobody knows more; what is known is said.
            [cut_off] = [line for line in unit.history(message) if line["to"] == "uncertain"]
            self.assertEqual("the agent ended while it was being sent", cut_off["reply"])
            self.assertIn("the agent ended while it was being sent", unit.ctl("queue", "list").stdout)
            self.assertIn("1 delivery is deferred or uncertain: `vmctl queue list` says why", unit.ctl("status").stdout)

    def test_workers_that_are_killed_over_and_over(self):
        mailboxes = [str(number) for number in range(101, 109)]
        unit = self.crashing_unit(*((number, f"m{number}", f"a{number}") for number in mailboxes))
        agent = self.agent_of(unit)
        messages = []
        killed = set()
        while len(killed) < 20:
            messages.append(self.add(unit, mailboxes[len(messages) % len(mailboxes)]))
            unit.ctl("queue", "retry")  # those in quarantine are tried again, too
            for worker in set(agent.workers()) - killed:
                os.kill(worker, signal.SIGKILL)
                killed.add(worker)
        # What was cut off and what has a pause is asked for; then everything must be there.
        def all_sent():
            unit.ctl("queue", "retry")
            return all(unit.state(message) == "sent" for message in messages)

        wait_until(lambda: f"end of the queue; {unit.ctl('queue', 'list').stdout}; {unit.trace()[-3000:]}", all_sent, 240)
        for number in mailboxes:
            unit.ctl("sync", number)
            self.wait_for_ok(unit, number)
        self.assertGreaterEqual(len(self.lines("pushed")), len(messages))
        self.assertIsNone(agent.process.poll())
        [health] = [line for line in unit.ctl("status").stdout.splitlines() if line.startswith("Agent:")]
        self.assertIn("a worker died", health)

    # ---- --once ---------------------------------------------------------------------------------------
    def test_once_leaves_nothing_undone_but_what_kills_it(self):
        self.put("armed")
        mailboxes = ("101", "crash-push"), ("102", "a"), ("103", "b"), ("104", "c", "crash-look")
        unit = self.crashing_unit(*mailboxes)
        bad, *good = [self.add(unit, number) for number, *_ in mailboxes]
        done = unit.once(status=75)
        # (The purge of a start may be under way, too.)
        self.assertRegex(done.stderr, r"vmemaild: 101: the worker ended by signal 11 \(.*\) while .*sending its messages")
        self.assertIn("vmemaild: 104: the worker ended by signal 11", done.stderr)
        # What was cut off waits a minute, perhaps an innocent one's; 104 has killed its worker alone, too.
        self.assertEqual("uncertain", unit.state(bad))
        for number, message in (("102", good[0]), ("103", good[1])):
            cut_off = f"vmemaild: {number}: the worker ended" in done.stderr
            self.assertIn(unit.state(message), ("sent", "uncertain") if cut_off else ("sent",), number)
        self.assertIn("vmemaild: 104: in quarantine", done.stderr)
        self.assertIn("the next run tries it again", done.stderr)
        self.assertIn("the next run tries it again", self.status(unit, "104")["reason"])
        self.assertEqual("ok", self.status(unit, "102")["state"])
        self.take("armed")
        unit.ctl("queue", "retry")
        unit.once()
        self.assertEqual(4 * ["sent"], [unit.state(message) for message in (bad, *good)])
        self.assertEqual("ok", self.status(unit, "104")["state"])


if __name__ == "__main__":
    vmunit.main()
