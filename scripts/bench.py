#!/usr/bin/env python3
"""The bench behind scripts/bench.

Speed: messages of 100 KB each, one mailbox, pushed by `vmemaild --once` to a local smtp-sink with
every state change durable (SQLite WAL, synchronous=FULL, a commit before and after each dialogue).
In the same interleaved rounds the same mail, byte for byte, by one msmtp process a message, and mails
of its size by smtp-source over one connection (it generates them: no files, no state; a ceiling).
Adding the messages to the unit is not part of the time. Medians over the rounds.

Memory: the peak of all vmemaild processes while a 50 MB recording is sent, above their resident
memory when idle.

Synchronisation: how soon one end learns what was done at the other (bench_sync.py).

Ends with 1 when vmemaild is less than 10 times as fast as msmtp, needs 40 MB or more above idle, or
is later than bench_sync.py allows.
"""

import argparse
import concurrent.futures
import pathlib
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/system"))

import bench_sync  # noqa: E402
import mailrig  # noqa: E402
import media  # noqa: E402
import vmunit  # noqa: E402

RECORDING_BYTES = 100_000
BIG_RECORDING_BYTES = 50_000_000
BYTES_A_SECOND = 16_000  # of the recordings: 16 bit, 8 kHz
MSMTP_MESSAGES = 100  # a process each is slow: fewer, and rates are compared
LEAST_RATIO = 10
MOST_MEGABYTES = 40
LONGEST_SECONDS = 600


class Sink:
    """Postfix's smtp-sink: takes every mail and forgets it."""

    def __init__(self):
        program = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin:/sbin")
        if not program:
            raise mailrig.RigError("smtp-sink is not installed; run scripts/deps")
        self.port = mailrig.free_port()
        self._process = subprocess.Popen(
            [program, "-u", "nobody", f"127.0.0.1:{self.port}", "100"], preexec_fn=mailrig.dies_with_parent
        )
        mailrig.wait_until("smtp-sink", self._answers)

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        self._process.terminate()
        self._process.wait()


def timed(command):
    """Wall and processor seconds of a command, and that it succeeded."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST_SECONDS)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise vmunit.Failed(f"{command[0]}: status {done.returncode}: {done.stdout}{done.stderr}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class Speed:
    def __init__(self, unit, sink, work, count):
        self.unit, self.sink, self.work, self.count = unit, sink, work, count
        self.recording = work / "recording.wav"
        media.write_recording(self.recording, (RECORDING_BYTES - 44) / BYTES_A_SECOND)
        self.mail = work / "mail.eml"
        identity = unit.add("101", self.recording)
        unit.ctl("message", "export", identity, "--as", "eml", "--output", self.mail)
        unit.once()
        self.configuration = work / "msmtprc"
        self.configuration.write_text(
            f"defaults\nauth off\ntls off\naccount default\nhost 127.0.0.1\nport {sink.port}\n"
            "from voicemail@example.test\ndomain localhost\n"
        )
        self.configuration.chmod(0o600)

    def vmemaild(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            ids = list(pool.map(lambda _: self.unit.add("101", self.recording), range(self.count)))
        wall, cpu = timed(self.unit.command("vmemaild", "--once"))
        for identity in (ids[0], ids[-1]):
            if self.unit.state(identity) != "sent":
                raise vmunit.Failed(f"{identity} was not sent: {self.unit.delivery(identity)}")
        return self.count, wall, cpu

    def msmtp(self):
        count = min(self.count, MSMTP_MESSAGES)
        loop = 'n=$1; while [ "$n" -gt 0 ]; do msmtp -C "$2" ann@example.test < "$3" || exit 1; n=$((n - 1)); done'
        return (count, *timed(["sh", "-c", loop, "sh", str(count), str(self.configuration), str(self.mail)]))

    def smtp_source(self):
        size = self.mail.stat().st_size
        command = ["/usr/sbin/smtp-source", "-d", "-s", "1", "-m", str(self.count), "-l", str(size)]
        command += ["-f", "voicemail@example.test", "-t", "ann@example.test", f"127.0.0.1:{self.sink.port}"]
        return (self.count, *timed(command))

    def run(self, rounds):
        clients = {
            "vmemaild --once": self.vmemaild,
            "msmtp, a process each": self.msmtp,
            "smtp-source -d -s 1": self.smtp_source,
        }
        rates, cpus = ({name: [] for name in clients} for _ in range(2))
        names = list(clients)
        for number in range(rounds):
            for name in names[number % 3 :] + names[: number % 3]:
                count, wall, cpu = clients[name]()
                rates[name].append(count / wall)
                cpus[name].append(cpu * 1000 / count)
                print(f"   round {number + 1}  {name:<22} {count:>5} in {wall:6.2f} s", flush=True)
        median = {name: statistics.median(values) for name, values in rates.items()}
        print(f"\n{'client':<22} {'msgs/s':>8} {'(least..most)':>16} {'CPU s/1000':>11} {'x msmtp':>8} {'x source':>9}")
        for name in names:
            least_most = f"{min(rates[name]):.0f}..{max(rates[name]):.0f}"
            print(
                f"{name:<22} {median[name]:>8.0f} {least_most:>16} {statistics.median(cpus[name]):>11.2f} "
                f"{median[name] / median[names[1]]:>8.1f} {median[name] / median[names[2]]:>9.2f}"
            )
        return median[names[0]] / median[names[1]]


def memory(pid, key):
    """Kilobytes of VmRSS or VmHWM of a process."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0


def settled(agent):
    """The agent's processes and the sum of their memory, once neither has changed for a second."""
    last, since = None, time.monotonic()
    while last is None or time.monotonic() - since < 1:
        processes = [agent.process.pid, *agent.workers()]
        now = (processes, sum(memory(pid, "VmRSS") for pid in processes))
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.05)
    return last


def measure_memory(unit, work):
    recording = work / "big.wav"
    media.write_recording(recording, BIG_RECORDING_BYTES / BYTES_A_SECOND)
    with unit.agent() as agent:
        agent.wait_for_workers()
        processes, idle = settled(agent)
        for pid in processes:
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")  # VmHWM starts anew
        identity = unit.add("101", recording)
        unit.wait_for_state(identity, "sent", seconds=LONGEST_SECONDS)
        peak = sum(memory(pid, "VmHWM") for pid in processes)
    print(f"\nmemory of {len(processes)} vmemaild processes, a recording of {recording.stat().st_size / 1e6:.0f} MB:")
    print(f"   idle {idle / 1000:.1f} MB, peak {peak / 1000:.1f} MB, above idle {(peak - idle) / 1000:.1f} MB")
    return (peak - idle) / 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", metavar="DIR")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--deletions", type=int, default=50)
    arguments = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="vmbench."))
    sink = Sink()
    try:
        unit = vmunit.Unit(build=arguments.build.absolute(), root=work / "vm")
        unit.config("mailbox", "create", "101")
        unit.set(
            "101",
            Email_Integration="Yes",
            Email_Name="ann@example.test",
            Smtp_Server="127.0.0.1",
            Smtp_Port=sink.port,
        )
        speed = Speed(unit, sink, work, arguments.messages)
        print(f"{arguments.messages} mails of {speed.mail.stat().st_size / 1000:.0f} kB to smtp-sink on loopback,", end="")
        print(f" each with a recording of {speed.recording.stat().st_size / 1000:.0f} kB")
        ratio = speed.run(arguments.rounds)
        megabytes = measure_memory(unit, work)
        to_phone, to_account = bench_sync.measure(arguments.build.absolute(), work, arguments.deletions)
    except (mailrig.RigError, media.MediaError, vmunit.Failed) as problem:
        sys.exit(f"bench: {problem}")
    finally:
        sink.stop()
        shutil.rmtree(work, ignore_errors=True)
    print()
    good = True
    for text, met in (
        (f"at least {LEAST_RATIO} x msmtp: {ratio:.1f} x", ratio >= LEAST_RATIO),
        (f"under {MOST_MEGABYTES} MB above idle: {megabytes:.1f} MB", megabytes < MOST_MEGABYTES),
        (
            f"deleted in the mail, on the phone {bench_sync.MOST_MS_AFTER_IDLE} ms after IDLE at most: {to_phone:.0f} ms",
            to_phone <= bench_sync.MOST_MS_AFTER_IDLE,
        ),
        (
            f"deleted on the phone, from the account in {bench_sync.MOST_MS_TO_ACCOUNT} ms: {to_account:.0f} ms",
            to_account <= bench_sync.MOST_MS_TO_ACCOUNT,
        ),
    ):
        print(f"{'met     ' if met else 'NOT MET '} {text}")
        good = good and met
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
