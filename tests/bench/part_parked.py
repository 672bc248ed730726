"""A thousand mailboxes parked over TLS: what they cost while nothing happens, and how soon something is known."""

import time

import latency
import mailclient
import mailrig
import measure
import seeding
import servers
import vmunit
from tables import Column, Series, Table, at_most, compare

SECONDS = 300
MAILBOXES = 1000
DELETIONS = 25
QUIET_SECONDS = 60
MOST_MEGABYTES = 100
MOST_CPU_SECONDS = 0.5
MOST_MS_AFTER_IDLE = 50
LATE = "deleted in the mail -> phone, after a bare IDLE client"


def run(context):
    numbers = [str(1000 + n) for n in range(MAILBOXES)]
    rig = context.enter(servers.rig([f"user{number}" for number in numbers]))
    unit = seeding.SeededUnit(
        context,
        "unit",
        numbers,
        seeding.imap_options(rig, tls=True),
        lambda number: seeding.account_of(rig, f"user{number}"),
    )
    for number in numbers:
        seeding.put_mails(rig.server, f"user{number}", unit.seed(number, 1, "sent"))
    start = time.monotonic()
    agent = context.enter(unit.parked_agent(SECONDS))
    parking = time.monotonic() - start
    processes = measure.descendants(agent.process.pid)
    if (sockets := sum(map(measure.sockets, processes))) < MAILBOXES:
        raise vmunit.Failed(f"{sockets} connections are kept, of {MAILBOXES}")

    mailrig.wait_until("quiet agent", lambda: cpu_of(processes, 1) < 0.05, SECONDS)
    cpu = cpu_of(processes, QUIET_SECONDS)
    memory = {key: sum(measure.memory(pid, key) for pid in processes) / 1000 for key in ("VmRSS", "Pss")}

    phone = context.enter(latency.Phone(unit))
    series = Series([LATE])
    for number in numbers[:: MAILBOXES // DELETIONS]:
        [(identity,)] = unit.query("SELECT id FROM messages WHERE mailbox = ?", number)
        with mailclient.MailClient(rig, f"user{number}") as client, latency.IdleClient(rig, f"user{number}") as idle:
            series.add(LATE, {"late": latency.deleted_in_mail(phone, client, idle, identity)})
    if processes != measure.descendants(agent.process.pid):
        raise vmunit.Failed(f"a worker has ended; {unit.trace()[-3000:]}")

    late = compare(
        f"the same, {DELETIONS} deletions",
        series,
        [Column("late", "ms", 1000, "{:.1f}", ratio=False, spread=True)],
        LATE,
    )
    late.headings[0] = ""
    tables = [
        Table(
            f"{MAILBOXES} mailboxes parked over TLS, {len(processes)} vmemaild processes",
            ["", "figure"],
            [
                ["all parked after", f"{parking:.1f} s"],
                ["resident memory, sum", f"{memory['VmRSS']:.1f} MB"],
                ["proportional share (Pss), sum", f"{memory['Pss']:.1f} MB"],
                [f"processor time in {QUIET_SECONDS} s", f"{cpu:.3f} s"],
            ],
        ),
        late,
    ]
    late_ms = series.median(LATE, "late") * 1000
    return tables, [
        at_most("resident memory", memory["VmRSS"], MOST_MEGABYTES, "MB"),
        at_most("processor time in a quiet minute", cpu, MOST_CPU_SECONDS, "s"),
        at_most("deleted in the mail, on the phone after IDLE", late_ms, MOST_MS_AFTER_IDLE, "ms"),
    ]


def cpu_of(processes, seconds):
    """Processor time they use in the next `seconds`."""
    before = measure.cpu_seconds(processes)
    time.sleep(seconds)
    return measure.cpu_seconds(processes) - before
