"""How commands and processes are measured.

    sample = run(["mbsync", ...], seconds=60)      ->  {"wall": s, "cpu": s}
    before = cpu_seconds(pids); ...; cpu_seconds(pids) - before
    series = interleaved({"mbsync": f, "vmemaild --once": g}, rounds, say)
"""

import contextlib
import ctypes
import os
import pathlib
import select
import signal
import subprocess
import tempfile
import time

import tables
import vmunit

_libc = ctypes.CDLL(None, use_errno=True)


def run(command, seconds, statuses=(0,), environment=None):
    """Runs a command to its end: wall and processor seconds of it and of all it waited for. Failed with its
    last words when it takes longer than `seconds` or ends with another status than `statuses`."""
    # A file: what a command leaves behind may keep its output open.
    with tempfile.TemporaryFile() as output:
        start = time.monotonic()
        # (Without preexec_fn: the fork of a large process would be part of the time.)
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        try:
            ended = _ends(process.pid, seconds)
            wall = time.monotonic() - start
        except BaseException:
            ended = False
            raise
        finally:
            if not ended:
                os.killpg(process.pid, signal.SIGKILL)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)  # Popen did not see it end
        if not ended or process.returncode not in statuses:
            output.seek(0)
            said = output.read().decode(errors="replace")[-4000:]
            why = f"status {process.returncode}" if ended else f"no end within {seconds:g} s"
            raise vmunit.Failed(f"{pathlib.Path(command[0]).name}: {why}: {said}")
    return {"wall": wall, "cpu": used.ru_utime + used.ru_stime}


def _ends(pid, seconds):
    """Waits for the end of a child, which is not reaped."""
    descriptor = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def cpu_seconds(pids):
    """Processor time these processes have used, to the nanosecond; /proc/PID/stat has hundredths."""
    total = 0.0
    for pid in pids:
        clock = ctypes.c_int()
        if _libc.clock_getcpuclockid(pid, ctypes.byref(clock)) != 0:
            raise vmunit.Failed(f"process {pid} has ended")
        total += time.clock_gettime(clock.value)
    return total


def descendants(pid):
    """The process and all below it."""
    found = [pid]
    for one in found:
        found.extend(vmunit.children(one))
    return found


def memory(pid, key):
    """Kilobytes of VmRSS or VmHWM of a process, or of its proportional share (Pss)."""
    file = "smaps_rollup" if key == "Pss" else "status"
    for line in pathlib.Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0


def sockets(pid):
    """How many a process has open."""
    count = 0
    for descriptor in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(descriptor).startswith("socket:")
    return count


def interleaved(clients, rounds, say):
    """Runs every client once a round, beginning with another one each time, so that what else the machine does
    falls on all alike. `clients`: name -> function that returns a sample, figure -> value."""
    series, names = tables.Series(clients), list(clients)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            sample = clients[name]()
            series.add(name, sample)
            say(f"round {number + 1}  {name:<28} " + "  ".join(f"{key} {value:.4g}" for key, value in sample.items()))
    return series
