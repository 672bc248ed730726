#!/usr/bin/env python3
"""Kills the agent's master, its workers and vmctl at random moments (kill -9) while messages are added
and pushed, and phone and subscriber change them, with real mail servers. After every few kills all
that was done must have gone across: nothing lost, nothing doubled, no foreign mail touched.

    random_kills_test.py [--kills 500] [--seed N]     (make torture KILLS=500)

The programs are those that are installed, without crash points. What is done and when is drawn from
the seed; what the processes are doing at that moment is not. Closes with the figures; exit 1 when
anything was violated.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time

import ledger
import vmunit
from ledger import FLAGGED, SEEN
from mailrig import MailRig
from passwords import PASSWORD

FOLDERS = ("INBOX", "Family", "Work", "Archive/2026")
MOST_KEPT = 60  # of a mailbox's messages; from then on it is rather deleted than added
SETTLE_SECONDS = 240
PAUSE_SECONDS = 0.35  # between two kills, on average


class Violation(Exception):
    pass


class Caller(threading.Thread):
    """One mailbox's callers, its phone and its subscriber, until told to stop."""

    def __init__(self, line, chance):
        super().__init__(daemon=True)
        self.line, self.chance = line, chance
        self.stop = threading.Event()
        self.problem = None
        self.done = {"adds": 0, "phone actions": 0, "subscriber actions": 0}
        self.command = None  # the vmctl that runs now
        # What is in step with the account, so that the subscriber sees it; who has changed what since.
        self.known = {identity for identity in line.wanted}
        self.by_phone, self.by_subscriber = set(), set()
        self.moved = set()  # by the subscriber
        self.restored = set()  # whether there is a mail of theirs again is not known yet

    def run(self):
        try:
            while not self.stop.is_set():
                self.act()
        except Exception as problem:
            self.problem = problem

    def act(self):
        kept = [identity for identity, wanted in self.line.wanted.items() if not wanted.deleted]
        what = self.chance.choices(("add", "phone", "subscriber"), (1 if len(kept) > MOST_KEPT else 4, 3, 3))[0]
        if what == "add":
            self.add()
        elif what == "phone":
            self.phone(self.pick(self.line.wanted, self.by_subscriber))
        else:
            self.subscriber(self.pick(self.known, self.by_phone))

    def pick(self, identities, others):
        free = [identity for identity in identities if identity not in others]
        return self.chance.choice(free) if free else None

    def ctl(self, *arguments):
        """Runs vmctl; (its output, whether it was killed)."""
        self.command = subprocess.Popen(
            self.line.unit.command("vmctl", *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        output, told = self.command.communicate(timeout=vmunit.COMMAND_SECONDS)
        if self.command.returncode not in (0, -signal.SIGKILL):
            raise vmunit.Failed(f"vmctl {' '.join(map(str, arguments))}: {self.command.returncode}: {told}")
        return output.strip(), self.command.returncode != 0

    def add(self):
        identity, killed = self.ctl(*self.line.arguments_to_add())
        if identity:
            self.line.added(identity)
            self.done["adds"] += 1
        elif killed:
            self.line.strays += 1  # it may have been added; nobody was told

    def phone(self, identity):
        if identity is None:
            return
        wanted = self.line.wanted[identity]
        choices = [("restore",)]
        if not wanted.deleted:
            choices = [
                ("mark", "--new" if wanted.read else "--read"),
                ("urgent", "--clear" if wanted.urgent else "--set"),
                ("move", "--folder", self.chance.choice(FOLDERS)),
                ("delete",),
            ]
            # With the mail comes back what the subscriber did to it before it went to Trash; what the
            # phone sees until then is older.
            if identity in self.restored:
                choices = choices[-1:]
        elif self.line.pop3:
            return  # what was deleted in a maildrop is gone
        what, *arguments = self.chance.choice(choices)
        self.by_phone.add(identity)
        if what == "restore":
            self.restored.add(identity)
        killed = True
        while killed:  # who was not told that it was done does it again
            _, killed = self.ctl("message", what, identity, *arguments)
        self.line.phoned(what, identity, *arguments)
        if what == "delete" and (identity in self.restored or (self.line.trash and identity not in self.known)):
            wanted.in_trash = None  # it may have gone before it came
        self.done["phone actions"] += 1

    def subscriber(self, identity):
        if identity is None:
            return
        wanted = self.line.wanted[identity]
        if wanted.deleted:
            if not wanted.in_trash:
                return
            what, arguments = "untrash", ()
        else:
            choices = [
                ("unflag" if wanted.read else "flag", SEEN),
                ("unflag" if wanted.urgent else "flag", FLAGGED),
            ]
            if not self.line.pop3:
                choices += [("move", self.chance.choice(FOLDERS))]
                # (What was done to a mail that is gone by now the unit may never have seen. From Trash it
                # comes back with its flags, and to the folder that the unit knew.)
                choices += [("trash",)] if identity not in self.moved else []
                choices += [("expunge",)] if identity not in self.by_subscriber else []
            what, *arguments = self.chance.choice(choices)
        self.by_subscriber.add(identity)
        self.moved.update({identity} if what == "move" else ())
        self.line.subscriber(what, identity, *arguments)
        self.done["subscriber actions"] += 1


class House:
    """A unit with a running agent."""

    def __init__(self, rig, users, chance, plugin, count):
        self.chance = chance
        self.unit = vmunit.Unit(plugin)
        self.lines = []
        for number in range(101, 101 + count):
            user = next(users)
            pop3 = plugin == "libsmtppop3.so"
            protocol, port = ("Pop3", "pop3s") if pop3 else ("Imap4", "imaps")
            trash = not pop3 and number % 2 == 0
            options = {"Imap4_Delete_Mode": "Trash"} if trash else {}
            security = chance.choice(("starttls", "tls", "relay"))
            options.update(ledger.account(rig, user, protocol, port))
            self.unit.mailbox(str(number), rig, user, security, **options)
            line = ledger.Line(self.unit, rig, str(number), user, pop3=pop3, trash=trash)
            line.foreign("INBOX", 5)
            line.foreign("INBOX", 5, "T", first=5)
            self.lines.append(line)
        self.rig = rig
        self.before = set()  # workers of masters that were killed
        self.agent = self.unit.agent()

    def remove(self):
        with contextlib.suppress(Exception):
            self.agent.stop()
        for line in self.lines:
            line.close()
        self.unit.remove()

    def has_lock(self):
        lock = self.unit.root / "run/vmemaild.lock"
        return lock.exists() and lock.read_text().strip() == str(self.agent.process.pid)

    def watch(self):
        """Keeps an agent running, and sees that there is one only. Returns its workers."""
        if self.agent.process.poll() is not None:
            # The workers of the last one take longer to stop than a start waits.
            if self.agent.process.returncode != 69:
                raise Violation(f"the agent ended with {self.agent.process.returncode}: {self.agent.output()}")
            self.agent.stop()
            self.agent = self.unit.agent()
        if not self.has_lock():
            return []
        workers = self.agent.workers()
        together = self.before.intersection(vmunit.agents(self.unit.root)) if workers else []
        if together:
            raise Violation(f"two agents: {workers} and, of a master that was killed, {together}")
        if workers:
            self.before.clear()  # they are gone
        return workers

    def kill_master(self):
        self.before.update(set(vmunit.agents(self.unit.root)) - {self.agent.process.pid})
        self.agent.process.kill()
        self.agent.stop()
        self.agent = self.unit.agent()

    def settle(self):
        """Until everything has gone across, and the agent at rest; returns what has not."""
        deadline = time.monotonic() + SETTLE_SECONDS
        before = []
        while True:
            self.watch()
            self.rig.drain()
            problems = [problem for line in self.lines for problem in line.problems()]
            if not problems or time.monotonic() > deadline or ledger.lasting(problems, before):
                return problems
            before = problems
            # As a person who does not want to wait: the pauses end.
            self.unit.ctl("queue", "retry")
            self.unit.ctl("sync", status=None)


class Torture:
    def __init__(self, rig, options):
        self.options = options
        self.chance = random.Random(options.seed)
        users = iter(rig.users)
        self.houses = [
            House(rig, users, self.chance, plugin, count)
            for plugin, count in (("libsmtpimap4.so", options.mailboxes), ("libsmtppop3.so", 1))
        ]
        self.kills = {"worker": 0, "master": 0, "vmctl": 0}
        self.done = {"adds": 0, "phone actions": 0, "subscriber actions": 0}
        self.problems = []

    def remove(self):
        for house in self.houses:
            house.remove()

    def run(self):
        while sum(self.kills.values()) < self.options.kills and not self.problems:
            left = self.options.kills - sum(self.kills.values())
            self.round(min(left, self.options.settle_every, -(-self.options.kills // 2)))
        return not self.problems

    def round(self, kills):
        callers = []
        for house in self.houses:
            for line in house.lines:
                callers.append(Caller(line, random.Random(self.chance.random())))
        for caller in callers:
            caller.start()
        try:
            for _ in range(kills):
                self.kill(self.chance.choice(self.houses), callers)
        finally:
            for caller in callers:
                caller.stop.set()
            for caller in callers:
                caller.join()
        for caller in callers:
            if caller.problem:
                raise caller.problem
            for what, count in caller.done.items():
                self.done[what] += count
        for house in self.houses:
            self.problems += house.settle()
            self.problems += [f"the store: {problem}" for problem in ledger.intact(house.unit)]
        print(f"{sum(self.kills.values())} kills, {self.done}", file=sys.stderr, flush=True)

    def kill(self, house, callers):
        """At a random moment, whichever process is there then."""
        moment = time.monotonic() + self.chance.expovariate(1 / PAUSE_SECONDS)
        whom = self.chance.choices(("worker", "master", "vmctl"), (6, 3, 1))[0]
        while time.monotonic() < moment:
            for one in self.houses:
                one.watch()
            time.sleep(max(0, min(0.05, moment - time.monotonic())))
        workers = house.watch() if whom == "worker" else []
        if whom == "worker" and not workers:
            whom = "master"  # which is starting, or makes its dead workers' successors wait
        if whom == "worker":
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.chance.choice(workers), signal.SIGKILL)
        elif whom == "master":
            house.kill_master()
        else:
            mine = [caller for caller in callers if caller.line in house.lines]
            command = self.chance.choice(mine).command
            if command is None or command.poll() is not None:
                return self.kill(house, callers)
            command.kill()
        self.kills[whom] += 1

    def tell(self):
        """What is known of the problems."""
        for problem in self.problems:
            print(problem)
        for house in self.houses:
            for line in house.lines:
                for identity in line.wanted:
                    if any(identity in problem for problem in self.problems):
                        print(house.unit.ctl("message", "history", identity, status=None).stdout)
            print(house.unit.trace()[-5000:])

    def figures(self):
        lines = [line for house in self.houses for line in house.lines]
        missing = [p for p in self.problems if p.startswith("its mail is in []") and "wanted: deleted" not in p]
        lost = missing + [p for p in self.problems if p.startswith("lost")]
        doubled = [p for p in self.problems if p.startswith("doubled")]
        foreign = [p for p in self.problems if p.startswith("foreign")]
        states = [message["delivery"]["state"] for line in lines for message in line.messages().values()]
        return (
            f"{sum(self.kills.values())} kills ({', '.join(f'{n} {who}' for who, n in self.kills.items())}), "
            f"{len(lines)} mailboxes, {self.done['adds']} messages, {states.count('sent')} sent, "
            f"{self.done['phone actions']} phone actions, {self.done['subscriber actions']} subscriber actions, "
            f"{sum(len(line.strangers) for line in lines)} foreign mails: "
            f"{len(lost)} lost, {len(doubled)} doubled, {len(foreign)} foreign touched, "
            f"{len(self.problems) - len(lost) - len(doubled) - len(foreign)} otherwise not in step"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--mailboxes", type=int, default=4, help="of IMAP; there is one of POP3 besides")
    parser.add_argument("--settle-every", type=int, default=20, metavar="KILLS")
    options = parser.parse_args()
    started = time.monotonic()
    print(f"seed {options.seed}", flush=True)
    passed = False
    with MailRig({f"user{n:02}": PASSWORD for n in range(options.mailboxes + 1)}) as rig:
        torture = Torture(rig, options)
        try:
            passed = torture.run()
            print(f"{torture.figures()}; {time.monotonic() - started:.0f} s")
        finally:
            if not passed:
                torture.tell()
            torture.remove()
    print("1 passed, 0 failed" if passed else "0 passed, 1 failed")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
