"""What fifteen changes by another client cost to learn of, in mailboxes of three sizes.

Every round marks ten mails as read and deletes five by IMAP, and counts one `vmemaild --once`; then five others come
in their place. What a pass costs is to follow from what changed, not from what there is.
"""

import mailclient
import measure
import seeding
import servers
import vmunit
from dovecot import PLAIN_HOST
from part_mailbox import counting
from proxy import Proxy
from tables import Column, at_most, compare

SECONDS = 300
SIZES = (1000, 10000, 50000)
MARKED, DELETED = 10, 5
DELAY_MS = 20
MOST_SPREAD = 1.10


def run(context):
    users = [f"user{size}" for size in SIZES]
    rig = context.enter(servers.rig(users))
    boxes = {f"{size} messages": Box(context, rig, size) for size in SIZES}
    series = measure.interleaved({name: box.sample for name, box in boxes.items()}, context.rounds, context.say)
    base = f"{SIZES[0]} messages"
    columns = [
        Column("bytes", "bytes"),
        Column("turns", "turns"),
        Column("connections", "connections", ratio=False),
        Column("wall", f"wall ms, {DELAY_MS} ms each way", 1000),
        Column("cpu", "client CPU ms", 1000),
    ]
    table = compare(f"vmemaild --once after {MARKED} mails were marked and {DELETED} deleted", series, columns, base)
    table.headings[0] = "mailbox of"

    def spread(figure):
        medians = [series.median(name, figure) for name in boxes]
        return max(medians) / min(medians)

    return [table], [
        at_most(f"{what}, most of the sizes to least", spread(figure), MOST_SPREAD, "x")
        for figure, what in (("bytes", "bytes"), ("turns", "round trips"))
    ]


class Box:
    """A unit with one mailbox of `size` messages in step, behind a proxy of its own."""

    def __init__(self, context, rig, size):
        self._user, self._size, self._rig, self._rounds = f"user{size}", size, rig, 0
        self._proxy = context.enter(Proxy(PLAIN_HOST, rig.ports["imap"]))
        self._unit = seeding.SeededUnit(
            context,
            f"unit{size}",
            ["101"],
            seeding.imap_options(rig, self._proxy.port),
            lambda _: seeding.account_of(rig, self._user),
        )
        self._put(size)
        self._unit.settle()
        self._proxy.delay(DELAY_MS)
        self._pass = counting(self._unit.pass_once, [self._proxy])

    def _put(self, count):
        messages = self._unit.seed("101", count, "sent")
        seeding.put_mails(self._rig.server, self._user, messages, first=self._rounds * self._size)

    def sample(self):
        self._rounds += 1
        linked = self._unit.query(
            "SELECT id, uid FROM messages JOIN links ON message_id = id WHERE state = 'new' ORDER BY uid"
        )
        # From all over the mailbox, in every round others.
        step = len(linked) // (MARKED + DELETED)
        chosen = linked[self._rounds % step :: step][: MARKED + DELETED]
        deleted, marked = chosen[::3], [one for at, one in enumerate(chosen) if at % 3]
        with mailclient.MailClient(self._rig, self._user) as client:
            for _, uid in marked:
                client.add_flags("INBOX", uid, r"\Seen")
            client.expunge("INBOX", *(uid for _, uid in deleted))
        figures = self._pass()
        figures["bytes"] = figures["up"] + figures["down"]
        self._check(marked, "read")
        self._check(deleted, "deleted")
        self._put(DELETED)
        self._proxy.delay(0)
        self._unit.settle()
        self._proxy.delay(DELAY_MS)
        return figures

    def _check(self, chosen, state):
        for identity, _ in chosen:
            if (found := self._unit.query("SELECT state FROM messages WHERE id = ?", identity)) != [(state,)]:
                raise vmunit.Failed(f"{identity} is {found}, not {state}; {self._unit.trace()[-3000:]}")
