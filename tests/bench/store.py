#!/usr/bin/env python3
"""What commands and calls of the store cost in a large unit and in a small one.

Two units, of 10,000 and of 1,000,000 messages, 100 in each mailbox (big_store.py), and the same 20
deliveries that wait. In interleaved rounds: commands that concern one mailbox or one message, wall
time from start to end, the process's own start included; and calls of the store in one process
(store_calls.cc), median of all mailboxes it is called for. A claim is that the large unit's time is at most
1.5 times the small one's.

The tables also have what is no business of one mailbox, and is as large as the unit: `vmctl status`, and
of the calls those that read all messages of a mailbox. These lie in hundreds of places of the file, which
in a small unit are in the processor's caches, and in a large one are not.

    tests/bench/store.py [--build DIR] [--rounds N]     exits with 1 when a claim is not met
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))

import big_store  # noqa: E402
import media  # noqa: E402

SMALL, LARGE = 10_000, 1_000_000
MOST_RATIO = 1.5
MAILBOX = str(big_store.FIRST_MAILBOX + 49)
CALLED = 100  # mailboxes that the calls are made for
# Calls that concern one message, or one mailbox's queue; the others are told without a claim, and so is what
# waits for the disk, which belongs to everybody.
CLAIMED_CALLS = (
    "add",
    "change_mark",
    "changes_since",
    "commit_sync",
    "due of a mailbox",
    "get",
    "mark",
    "open",
    "pending",
    "purge, nothing to purge",
    "record_intent",
    "record_outcome",
    "record_outcome and the following intent",
    "remove",
    "set_status, another",
)


class Commands:
    """What is run in one unit; each by its name."""

    def __init__(self, unit, recording):
        self.unit = unit
        ids = [row[0] for row in unit.query(f"SELECT id FROM messages WHERE mailbox = '{MAILBOX}' ORDER BY id")]
        message, other = ids[10], ids[20]
        self.claimed = {
            "vmctl message list --mailbox": ("vmctl", "message", "list", "--mailbox", MAILBOX),
            "vmctl message show": ("vmctl", "message", "show", message),
            "vmctl message history": ("vmctl", "message", "history", message),
            "vmctl message mark --read": ("vmctl", "message", "mark", other, "--read"),
            "vmctl message mark --new": ("vmctl", "message", "mark", other, "--new"),
            "vmctl message delete": ("vmctl", "message", "delete", other),
            "vmctl message restore": ("vmctl", "message", "restore", other),
            # To a mailbox of its own, so that the others stay as long as they are.
            "vmctl message add": ("vmctl", "message", "add", "--mailbox", unit.mailboxes[-1], "--kind", "voice",
                                  "--file", recording),
            "vmctl queue list": ("vmctl", "queue", "list"),
            "vmemaild --once --mailbox": ("vmemaild", "--once", "--mailbox", MAILBOX),
        }  # fmt: skip
        self.told = {"vmctl status --json": ("vmctl", "status", "--json")}

    def run(self, name):
        """Milliseconds."""
        start = time.perf_counter()
        self.unit.run(*(self.claimed.get(name) or self.told[name]))
        took = (time.perf_counter() - start) * 1000
        if name == "vmctl message add":
            # Deleted, lest it should wait in the queue; not a part of the time.
            identity = self.unit.query("SELECT MAX(id) FROM messages")[0][0]
            self.unit.run("vmctl", "message", "delete", identity)
        return took


def rounds_of(measures, names, rounds):
    """By name and unit, the median of so many rounds, in each of which all are measured once."""
    times = {name: {unit: [] for unit in measures} for name in names}
    for number in range(rounds):
        for name in names:
            units = list(measures)
            for unit in units if number % 2 == 0 else reversed(units):
                times[name][unit].append(measures[unit](name))
    return {name: {unit: statistics.median(values) for unit, values in of.items()} for name, of in times.items()}


def calls(build, units, rounds):
    """Microseconds, by call and unit."""
    times = {}
    for _ in range(rounds):
        for count, unit in units.items():
            mailboxes = unit.mailboxes[:: max(1, len(unit.mailboxes) // CALLED)]
            command = [str(build / "test/store_calls"), str(unit.root), *mailboxes]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
            for name, microseconds in json.loads(done.stdout).items():
                times.setdefault(name, {}).setdefault(count, []).append(microseconds)
    return {name: {unit: statistics.median(values) for unit, values in of.items()} for name, of in times.items()}


def table_of(title, unit, medians):
    rows = [
        (name, f"{of[SMALL]:.1f}", f"{of[LARGE]:.1f}", f"{of[LARGE] / of[SMALL]:.2f}") for name, of in medians.items()
    ]
    return title, ["", f"{SMALL:,} messages, {unit}", f"{LARGE:,} messages, {unit}", "ratio"], rows


def claims_of(medians, names, what):
    for name in names:
        ratio = medians[name][LARGE] / medians[name][SMALL]
        yield f"{what}{name} takes {ratio:.2f} times as long in the large unit (at most {MOST_RATIO})", ratio <= MOST_RATIO


def measure(build, work, rounds):
    """(tables, claims): a table is (title, header, rows), a claim (text, whether it is met). `work` is an empty
    directory, for about a gigabyte."""
    build = pathlib.Path(build).absolute()
    recording = pathlib.Path(work) / "recording.wav"
    media.write_recording(recording, 1)
    units = {count: big_store.BigStore(build, pathlib.Path(work) / str(count), count) for count in (SMALL, LARGE)}
    commands = {count: Commands(unit, recording) for count, unit in units.items()}
    runs = {count: of.run for count, of in commands.items()}
    of_one = rounds_of(runs, commands[SMALL].claimed, rounds)
    of_all = rounds_of(runs, commands[SMALL].told, max(1, rounds // 10))
    of_calls = calls(build, units, max(1, rounds // 5))
    tables = [
        table_of("Commands of one mailbox or message, and the queue", "ms", of_one),
        table_of("Commands of the whole unit: 100 mailboxes, and 10,000", "ms", of_all),
        table_of("Calls of the store", "us", of_calls),
    ]
    claims = [*claims_of(of_one, of_one, ""), *claims_of(of_calls, CLAIMED_CALLS, "the store's ")]
    return tables, claims


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vmbench.") as work:
        tables, claims = measure(options.build, work, options.rounds)
    for title, header, rows in tables:
        print(f"{title}\n{header[0]:<42} {header[1]:>20} {header[2]:>23} {header[3]:>6}")
        for name, small, large, ratio in rows:
            print(f"{name:<42} {small:>20} {large:>23} {ratio:>6}")
        print()
    for text, met in claims:
        print(("met:     " if met else "NOT MET: ") + text)
    return 0 if all(met for _, met in claims) else 1


if __name__ == "__main__":
    sys.exit(main())
