"""A hundred mailboxes that are in step, nothing changed: from a cold start, and by an agent that has them parked."""

import measure
import peers
import seeding
import servers
from dovecot import PLAIN_HOST
from part_mailbox import counting
from proxy import Proxy
from tables import Column, at_most, compare

SECONDS = 360
MAILBOXES, MESSAGES = 100, 100
DELAY_MS = 20
COLD, PARKED, PEER = "vmemaild --once", "vmctl sync, parked", "mbsync -a"


def run(context):
    numbers = [str(1000 + n) for n in range(MAILBOXES)]
    ours, theirs = ([f"{who}{number}" for number in numbers] for who in ("our", "mbs"))
    rig = context.enter(servers.rig(ours + theirs))
    proxy = context.enter(Proxy(PLAIN_HOST, rig.ports["imap"]))
    unit = seeding.SeededUnit(
        context, "unit", numbers, seeding.imap_options(rig), lambda n: seeding.account_of(rig, f"our{n}")
    )
    for number in numbers:
        messages = unit.seed(number, MESSAGES, "sent")
        for user in (f"our{number}", f"mbs{number}"):
            seeding.put_mails(rig.server, user, messages)
    unit.settle()
    far = unit.copy("far", Imap4_Server="127.0.0.1", Imap4_Port=proxy.port)
    far.settle()
    peer = peers.Mbsync(context.work, rig, theirs, PLAIN_HOST, rig.ports["imap"])
    far_peer = peers.Mbsync(context.work, rig, theirs, "127.0.0.1", proxy.port)
    peers.settle(peer, far_peer)
    peers.check_mails(context.work / "mbsync", MAILBOXES * MESSAGES)

    cold = measure.interleaved({COLD: unit.pass_once, PEER: peer.run}, 2 * context.rounds, context.say)
    # mbsync takes half a minute a round here.
    proxy.delay(DELAY_MS)
    late_clients = {name: counting(run, [proxy]) for name, run in ((COLD, far.pass_once), (PEER, far_peer.run))}
    late = measure.interleaved(late_clients, context.few_rounds, context.say)
    proxy.delay(0)

    with unit.parked_agent() as agent:
        asking = Asking(unit, agent)
        parked = measure.interleaved({PARKED: asking.sample, PEER: peer.run}, 2 * context.rounds, context.say)
    with far.parked_agent() as agent:
        asking = Asking(far, agent)
        proxy.delay(DELAY_MS)
        asked = {PARKED: counting(asking.sample, [proxy])}
        far_parked = measure.interleaved(asked, context.rounds, context.say)
        proxy.delay(0)
    for sample in late.samples(PEER):
        far_parked.add(PEER, sample)

    near = [
        Column("wall", "wall s", 1, "{:.3f}", spread=True),
        Column("cpu", "client CPU s", 1, "{:.3f}"),
    ]
    through = [
        Column("wall", "wall s", 1, "{:.2f}"),
        Column("connections", "connections", ratio=False),
        Column("turns", "turns"),
        Column("down", "bytes down"),
        Column("up", "bytes up"),
    ]
    what = f"{MAILBOXES} mailboxes of {MESSAGES} messages in step"
    tables = [
        compare(f"{what}, cold, direct", cold, near, PEER),
        compare(f"{what}, cold, {DELAY_MS} ms later each way", late, through, PEER),
        compare(f"{what}, the agent parked, direct", parked, near, PEER),
        compare(f"{what}, the agent parked, {DELAY_MS} ms later each way", far_parked, through, PEER),
    ]
    late_by = f"at {DELAY_MS} ms each way"
    return tables, [
        at_most("cold, client CPU", cold.ratio(COLD, PEER, "cpu"), 1.0, f"x {PEER}"),
        at_most("cold, wall", cold.ratio(COLD, PEER, "wall"), 0.6, f"x {PEER}"),
        at_most(f"cold, wall {late_by}", late.ratio(COLD, PEER, "wall"), 1 / 20, f"x {PEER}"),
        at_most("parked, wall", parked.ratio(PARKED, PEER, "wall"), 1 / 10, f"x {PEER}"),
        at_most("parked, client CPU", parked.ratio(PARKED, PEER, "cpu"), 1 / 4, f"x {PEER}"),
        at_most("parked, bytes down", far_parked.ratio(PARKED, PEER, "down"), 1 / 20, f"x {PEER}"),
    ]


class Asking:
    """`vmctl sync` of an agent that has all its mailboxes parked; its processor time is the agent's, too."""

    def __init__(self, unit, agent):
        self._processes = measure.descendants(agent.process.pid)
        self._command = unit.command("vmctl", "sync")
        self._run()  # the first may have something left to learn

    def _run(self):
        return measure.run(self._command, seeding.LONGEST_PASS)

    def sample(self):
        before = measure.cpu_seconds(self._processes)
        figures = self._run()
        figures["cpu"] += measure.cpu_seconds(self._processes) - before
        return figures
