"""One mailbox that is in step, and nothing has changed: what it costs to find that out, from a cold start."""

import measure
import peers
import seeding
import servers
from proxy import Proxy
from dovecot import PLAIN_HOST
from tables import Column, at_most, compare

SECONDS = 180
MESSAGES = 1000
DELAY_MS = 20
# Accounts of their own, so that nobody lives from what a server remembers for another.
USERS = ("ann", "mbs", "off", "fet")
OURS = "vmemaild --once"


def run(context):
    rig = context.enter(servers.rig(USERS))
    imap, pop3 = (context.enter(Proxy(PLAIN_HOST, rig.ports[name])) for name in ("imap", "pop3"))
    unit = seeding.SeededUnit(
        context, "unit", ["101"], seeding.imap_options(rig), lambda _: seeding.account_of(rig, "ann")
    )
    messages = unit.seed("101", MESSAGES, "sent")
    for user in USERS:
        seeding.put_mails(rig.server, user, messages)
    unit.settle()
    far = unit.copy("far", Imap4_Server="127.0.0.1", Imap4_Port=imap.port)
    far.settle()

    def clients(ours, host, imap_port, pop3_port):
        found = [
            peers.Mbsync(context.work, rig, ["mbs"], host, imap_port),
            peers.OfflineImap(context.work, rig, "off", host, imap_port),
            peers.Fetchmail(context.work, rig, "fet", host, pop3_port),
        ]
        peers.settle(*found)
        return {OURS: ours.pass_once, **{client.name: client.run for client in found}}

    near = clients(unit, PLAIN_HOST, rig.ports["imap"], rig.ports["pop3"])
    for directory in ("mbsync", "offlineimap"):
        peers.check_mails(context.work / directory, MESSAGES)
    late = clients(far, "127.0.0.1", imap.port, pop3.port)
    direct = measure.interleaved(near, 3 * context.rounds, context.say)  # they are short
    for proxy in (imap, pop3):
        proxy.delay(DELAY_MS)
    counted = {name: counting(pass_, (imap, pop3)) for name, pass_ in late.items()}
    delayed = measure.interleaved(counted, context.rounds, context.say)

    tables = [
        compare(
            f"one mailbox of {MESSAGES} messages in step, direct",
            direct,
            [Column("wall", "wall ms", 1000, "{:.1f}", spread=True), Column("cpu", "client CPU ms", 1000, "{:.1f}")],
            "mbsync",
        ),
        compare(
            f"the same, {DELAY_MS} ms later each way",
            delayed,
            [
                Column("wall", "wall ms", 1000),
                Column("connections", "connections", ratio=False),
                Column("turns", "turns"),
                Column("down", "bytes down"),
                Column("up", "bytes up"),
            ],
            "mbsync",
        ),
    ]
    return tables, [
        at_most("bytes down", delayed.ratio(OURS, "mbsync", "down"), 1 / 20, "x mbsync"),
        at_most(f"wall at {DELAY_MS} ms each way", delayed.ratio(OURS, "mbsync", "wall"), 1 / 2, "x mbsync"),
    ]


def counting(client, proxies):
    """What a client costs, with what went through the proxies meanwhile."""

    def sample():
        for proxy in proxies:
            proxy.reset()
        figures = client()
        for proxy in proxies:
            for figure, value in proxy.cost()._asdict().items():
                figures[figure] = figures.get(figure, 0) + value
        return figures

    return sample
