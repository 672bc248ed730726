#!/usr/bin/env python3
"""Killed at every crash point: each commit of the store, each step of each dialogue, of the agent, its
workers and vmctl, with real mail servers. When the agent has run again nothing is lost, nothing is
doubled, no foreign mail was touched, and both sides are as the phone and the subscriber want them.

    crash_points_test.py              a part of the kills, another part each day; --part N: that one
    crash_points_test.py --all        all of them
    crash_points_test.py --only TEXT  those whose description contains the text
"""

import argparse
import collections
import concurrent.futures
import itertools
import pathlib
import re
import sys
import time
import traceback
import unittest

import crash_stages
import vmunit
from crash_stages import EMAIL, IMAP, POP3, hurry, hurry_agent
from crashrig import Run
from mailrig import MailRig, wait_until
from passwords import PASSWORD

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "src/store"
PARTS = 20  # of which one is run in `make check`
# Commits of the store that no stage comes to, and why.
NOT_COME_TO = {"agree": "it is of vmasterisk; system/asterisk comes to it"}
JOBS = 2

options = None
rig = None
users = None


def setUpModule():
    global rig, users
    rig = unittest.enterModuleContext(MailRig({f"user{n:04}": PASSWORD for n in range(4000)}))
    users = iter(rig.users)


class Kill(collections.namedtuple("Kill", "stage way point nth")):
    """`way`: "once", the stage's program; "agent", a worker of a running agent; "master", its master
    while a worker comes to the point."""

    def __str__(self):
        return f"{self.stage.__name__}, {self.way}: {self.point!r}, time {self.nth}"


class Play:
    """The stages, each with the scene as its program finds it, and the points it comes to."""

    def __init__(self, scene, stages):
        self.scene, self.stages = scene, stages
        self.before, self.programs = {}, {}
        self.reached = {}  # (stage, way) -> how often each point

    def rehearse(self):
        """All of them, one after the other, without a kill."""
        for stage in self.stages:
            self.programs[stage] = program = stage(self.scene)
            for line in self.scene.lines.values():
                line.close()
            self.before[stage] = self.scene.copy(users)
            run = Run(self.scene.unit)
            output = run.run(run.environment_to_log(), *program.command).stdout
            program.done(self.scene, output)
            self.reached[stage, "once"] = run.reached()
            run.forget()
            self.scene.settle(hurry)
            if program.is_agent and not program.once_only:
                self.reached[stage, "agent"] = self.reached[stage, "master"] = self.rehearse_agent(stage)

    def rehearse_agent(self, stage):
        scene = self.before[stage].copy(users)
        try:
            run = Run(scene.unit)
            with scene.unit.agent(run.environment_to_log()):
                scene.settle(hurry_agent)
            return run.reached()
        finally:
            scene.remove()

    def remove(self):
        for scene in [self.scene, *self.before.values()]:
            scene.remove()

    def kills(self):
        """Each point of each stage at its first time, and at one later."""
        for (stage, way), reached in self.reached.items():
            for point, times in reached.items():
                for nth in sorted({1, times // 2 + 1}):
                    yield Kill(stage, way, point, nth)

    def kill(self, kill):
        """Whether the point was come to; fails when what follows does not mend it."""
        scene = self.before[kill.stage].copy(users)
        try:
            run = Run(scene.unit)
            getattr(self, f"kill_{kill.way}")(scene, run, kill)
            return run.died()
        finally:
            scene.remove()

    def kill_once(self, scene, run, kill):
        program = self.programs[kill.stage]
        output = run.run(run.environment_to_die(kill.point, kill.nth), *program.command).stdout
        if run.died() and not program.is_agent:  # who was not told that it was done does it again
            next(iter(scene.lines.values())).strays = 1
            output = scene.unit.run(*program.command, status=None).stdout
        program.done(scene, output)
        scene.settle(hurry)

    @staticmethod
    def kill_agent(scene, run, kill):
        with scene.unit.agent(run.environment_to_die(kill.point, kill.nth)) as agent:
            scene.settle(hurry_agent)
            if agent.process.poll() is not None:
                raise vmunit.Failed(f"the master ended with {agent.process.returncode}: {agent.output()}")

    @staticmethod
    def kill_master(scene, run, kill):
        agent = scene.unit.agent(run.environment_to_die(kill.point, kill.nth, "parent"))
        try:
            wait_until("kill or rest", lambda: run.died() or not scene.problems())
            if not run.died():
                return
            agent.process.wait(vmunit.COMMAND_SECONDS)
            left = vmunit.agents(scene.unit.root)
        finally:
            agent.stop()
        with scene.unit.agent() as successor:
            workers = successor.wait_for_workers()
            together = set(left).intersection(vmunit.agents(scene.unit.root))
            if together:
                raise vmunit.Failed(f"two agents: {workers}, and of the master that was killed {together}")
            scene.settle(hurry_agent)


class CrashPointsTest(vmunit.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plays = {}
        for name, make_scene, stages in (
            ("imap", crash_stages.imap_scene, IMAP),
            ("pop3", crash_stages.pop3_scene, POP3),
            ("email", crash_stages.email_scene, EMAIL),
            ("email_drop", crash_stages.email_drop_scene, EMAIL),
        ):
            cls.plays[name] = play = Play(make_scene(rig, users), stages)
            cls.addClassCleanup(play.remove)
            play.rehearse()

    def test_every_commit_is_come_to(self):
        if options.list:
            for name, play in self.plays.items():
                for (stage, way), reached in play.reached.items():
                    print(f"{name} {stage.__name__}, {way}: {dict(reached)}")
        sources = "".join(file.read_text() for file in SOURCES.glob("*.cc"))
        commits = set(re.findall(r'(?:Transaction transaction\(\w+, |write\(\s*\{)"([^"]*)"', sources))
        self.assertGreater(len(commits), 10)
        points = {point for play in self.plays.values() for reached in play.reached.values() for point in reached}
        missed = {name for name in commits if not {f"commit {name}", f"committed {name}"} <= points}
        self.assertEqual(set(NOT_COME_TO), missed)

    def kill_all(self, play):
        every = [kill for kill in play.kills() if options.only in str(kill)]
        chosen = every if options.all or options.only else every[options.part % PARTS :: PARTS]
        started = time.monotonic()
        missed, failures = [], []
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            for kill, future in [(kill, pool.submit(play.kill, kill)) for kill in chosen]:
                try:
                    if not future.result():
                        missed.append(kill)
                except Exception:
                    failures.append(f"killed in {kill}\n{traceback.format_exc()}")
        points = {kill.point for kill in every}
        print(
            f"{len(chosen)} of {len(every)} kills at {len(points)} points in {time.monotonic() - started:.0f} s, "
            f"{len(missed)} not come to",
            end="; ",
            flush=True,
        )
        self.assertEqual([], failures, "\n\n".join([f"{len(failures)} failed", *failures]))
        # How often a step is come to depends on how an answer is cut into pieces, and with a running
        # agent on which change it has noticed first.
        # Nobody waits for the answer to LOGOUT.
        due = [kill for kill in missed if kill.nth == 1 and kill.way == "once" and kill.point != "answer LOGOUT"]
        self.assertEqual([], [str(kill) for kill in due])

    def test_imap(self):
        self.kill_all(self.plays["imap"])

    def test_what_the_phone_takes_back(self):
        """Killed when the account has changed and the store does not know, and the phone goes back to
        what it was: that is no action of the subscriber's."""
        changes = (
            ("a", "mark", ["--read"], "mark", ["--new"], "UID STORE"),
            ("a", "urgent", ["--set"], "urgent", ["--clear"], "UID STORE"),
            ("a", "move", ["--folder", "Work"], "move", ["--folder", "INBOX"], "UID MOVE"),
            ("a", "delete", [], "restore", [], "UID EXPUNGE"),
            ("b", "delete", [], "restore", [], "UID MOVE"),  # to Trash
        )
        scene = crash_stages.imap_scene(rig, users)
        self.addCleanup(scene.remove)
        for name, what, arguments, back, back_arguments, command in changes:
            line = scene.lines[name]
            identity = line.add()
            scene.settle(hurry)
            with self.subTest(what, name=name):
                line.phone(what, identity, *arguments)
                run = Run(scene.unit)
                agent = ("vmemaild", "--once", "--mailbox", line.number)
                with_log = scene.copy(users)
                self.addCleanup(with_log.remove)
                Run(with_log.unit).run(Run(with_log.unit).environment_to_log(), *agent)
                [point] = [p for p in Run(with_log.unit).reached() if p.startswith("answer") and command in p]
                run.run(run.environment_to_die(point, 1), *agent)
                self.assertTrue(run.died(), point)
                line.phone(back, identity, *back_arguments)
                scene.settle(hurry)

    def test_pop3(self):
        self.kill_all(self.plays["pop3"])

    def test_email(self):
        self.kill_all(self.plays["email"])

    def test_email_drop(self):
        self.kill_all(self.plays["email_drop"])


def main():
    global options
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true", help="the points of each stage, how often each")
    parser.add_argument("--part", type=int, default=int(time.time() // 86400))
    options, names = parser.parse_known_args()
    sys.argv[1:] = names
    vmunit.main()


if __name__ == "__main__":
    main()
