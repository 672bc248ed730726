"""The agent's memory while it sends a recording of 50 MB, above what it has when idle."""

import pathlib
import time

import measure
import media
import servers
import vmunit
from tables import Table, at_most

SECONDS = 60
RECORDING_BYTES = 50_000_000
BYTES_A_SECOND = 16_000  # of recordings: 16 bit, 8 kHz
MOST_MEGABYTES = 40


def run(context):
    sink = context.enter(servers.Sink())
    unit = vmunit.Unit(build=context.build, root=context.work / "unit")
    unit.config("mailbox", "create", "101")
    unit.set(
        "101",
        Email_Integration="Yes",
        Email_Name="ann@example.test",
        Smtp_Server="127.0.0.1",
        Smtp_Port=sink.port,
    )
    recording = context.work / "big.wav"
    media.write_recording(recording, RECORDING_BYTES / BYTES_A_SECOND)
    agent = context.enter(unit.agent())
    agent.wait_for_workers()
    processes, idle = settled(agent)
    for pid in processes:
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")  # VmHWM starts anew
    unit.wait_for_state(unit.add("101", recording), "sent", seconds=SECONDS)
    peak = sum(measure.memory(pid, "VmHWM") for pid in processes)
    table = Table(
        f"memory of {len(processes)} vmemaild processes, a recording of {recording.stat().st_size / 1e6:.0f} MB",
        ["", "MB"],
        [[what, f"{size / 1000:.1f}"] for what, size in (("idle", idle), ("peak", peak), ("above", peak - idle))],
    )
    return [table], [at_most("peak above idle", (peak - idle) / 1000, MOST_MEGABYTES, "MB")]


def settled(agent):
    """The agent's processes and the sum of their memory, once neither has changed for a second."""
    last, since = None, time.monotonic()
    while last is None or time.monotonic() - since < 1:
        processes = measure.descendants(agent.process.pid)
        now = (processes, sum(measure.memory(pid, "VmRSS") for pid in processes))
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.05)
    return last
