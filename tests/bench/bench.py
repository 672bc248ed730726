#!/usr/bin/env python3
"""The bench: vmemaild beside the programs people use for the same, on this machine, at this time.

Every part is a module part_NAME.py with run(context), which returns tables and claims, and SECONDS, the time it
may take for the default number of rounds. A part starts servers of its own on loopback, lets peers and us take
turns for some rounds, and gives medians and their ratios: what else the machine does falls on all alike. Wall and
processor time are taken without anything between client and server; bytes and turns through a proxy (proxy.py)
that makes them late.

A claim is a figure with its limit. The bench ends with 1 when one is not met, or a part failed.
"""

import argparse
import contextlib
import importlib
import os
import pathlib
import platform
import resource
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))

import mailclient  # noqa: E402
import mailrig  # noqa: E402
import media  # noqa: E402
import vmunit  # noqa: E402

PARTS = ("mailbox", "fleet", "changes", "parked", "push", "memory", "sync")
PROGRAMS = (  # and the package they are of
    ("mbsync", "isync"),
    ("offlineimap", "offlineimap3"),
    ("fetchmail", "fetchmail"),
    ("msmtp", "msmtp"),
    ("smtp-source", "postfix"),
    ("dovecot", "dovecot-core"),
)
DEFAULT_ROUNDS = 3
DESCRIPTORS = 20000  # a thousand mailboxes, their server, and a proxy between
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PROBLEMS = (mailrig.RigError, mailclient.MailClientError, media.MediaError, vmunit.Failed, OSError)


class TimeIsUp(Exception):
    pass


class Context:
    """What a part is given: the build tree, an empty directory and the number of rounds. What a part starts it
    enters here: it is ended when the part has, however that was."""

    def __init__(self, build, rounds):
        self.build, self.rounds = build.absolute(), rounds
        self.few_rounds = 1 + rounds // 3  # of what takes long and varies little
        self._stack = contextlib.ExitStack()
        self.enter = self._stack.enter_context
        self.work = mailrig.short_temporary_directory("vmbench.")
        self._stack.callback(shutil.rmtree, self.work, ignore_errors=True)

    def close(self):
        """Not to be interrupted: signals come afterwards."""
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        try:
            self._stack.close()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

    @staticmethod
    def say(text):
        print(f"   {text}", file=sys.stderr, flush=True)


def version(program, package):
    found = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", package], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    return f"{program} {found.stdout if found.returncode == 0 else 'is not installed'}"


def header(build):
    ours = subprocess.run([build / "bin/vmemaild", "--version"], capture_output=True, text=True, check=True)
    return [
        ", ".join([ours.stdout.strip(), *(version(*program) for program in PROGRAMS)]),
        f"Linux {platform.release()}, {os.cpu_count()} cores with a load of {os.getloadavg()[0]:.1f},"
        f" Python {platform.python_version()}",
    ]


@contextlib.contextmanager
def time_limit(seconds):
    def end(*_):
        raise TimeIsUp(f"no end within {seconds} s")

    signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def run_part(name, arguments):
    """Its tables and claims; None for a part that failed, after saying why."""
    module = importlib.import_module(f"part_{name}")
    context, start = Context(arguments.build, arguments.rounds), time.monotonic()
    print(f"\n== {name}: {module.__doc__.splitlines()[0]}", flush=True)
    try:
        with time_limit(module.SECONDS * max(1, arguments.rounds // DEFAULT_ROUNDS)):
            tables, claims = module.run(context)
    except (TimeIsUp, *PROBLEMS, subprocess.SubprocessError) as problem:
        print(f"bench: part {name}: {type(problem).__name__}: {problem}", file=sys.stderr)
        return None
    finally:
        context.close()
    for table in tables:
        print(f"\n{table.text()}")
    print(f"\n   {time.monotonic() - start:.0f} s", flush=True)
    return tables, claims


def interrupted(*_):
    raise KeyboardInterrupt


def parts(text):
    names = text.split(",")
    for name in names:
        if name not in PARTS:
            raise argparse.ArgumentTypeError(f"no part is called {name}; there are: {', '.join(PARTS)}")
    return names


def rounds(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("a number from 1 on")
    return int(text)


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", metavar="DIR")
    parser.add_argument("--rounds", type=rounds, default=DEFAULT_ROUNDS, metavar="N")
    parser.add_argument("--only", type=parts, default=PARTS, metavar="PART[,PART]", help=", ".join(PARTS))
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE", help="the tables, too")
    arguments = parser.parse_args()
    for sign in ENDING:
        signal.signal(sign, interrupted)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, DESCRIPTORS), max(hard, DESCRIPTORS)))

    about = header(arguments.build)
    print("\n".join(about), flush=True)
    results = {}
    try:
        for name in arguments.only:
            results[name] = run_part(name, arguments)
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")

    verdicts = []
    for name, result in results.items():
        for claim in result[1] if result else ():
            verdicts.append((claim.met, f"{name}: {claim.text}"))
        if not result:
            verdicts.append((False, f"{name}: the part did not come to its end"))
    lines = [f"{'met     ' if met else 'NOT MET '} {text}" for met, text in verdicts]
    print("\n" + "\n".join(lines))
    if arguments.markdown:
        written = ["; ".join(about)]
        for name, result in results.items():
            written += [f"## {name}", *(table.markdown() for table in result[0])] if result else []
        written.append("\n".join(f"- {line}" for line in lines))
        arguments.markdown.write_text("\n\n".join(written) + "\n")
    sys.exit(0 if all(met for met, _ in verdicts) else 1)


if __name__ == "__main__":
    main()
