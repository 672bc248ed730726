#!/usr/bin/env python3
"""What a pass costs in a large mailbox, counted between the agent and the server: k changes in a mailbox
of n messages cost k, and a pass over a mailbox where nothing happened costs next to nothing."""

import concurrent.futures
import time

import synctest
import vmunit
from countingproxy import CountingProxy
from dovecot import PLAIN_HOST
from mailrig import wait_until

FOREIGN, OURS = 5000, 200
READ, URGENT = r"\Seen", r"\Flagged"


class CostTest(synctest.TestCase):
    # The agent looks when it is told to: by us, or by IDLE.
    misc = {"g_bImap4SyncPendingTimer": 86400}

    @classmethod
    def setUpClass(cls):
        cls.rig = synctest.start()
        cls.addClassCleanup(cls.rig.stop)
        super().setUpClass()
        cls.proxy = CountingProxy(cls.rig.ports["imap"], PLAIN_HOST)
        cls.addClassCleanup(cls.proxy.stop)
        cls.agent = cls.shared.agent()
        cls.addClassCleanup(cls.agent.stop)
        cls.agent.wait_for_workers()

    def full(self, mode):
        """A mailbox with a kept connection, nothing left to do, and many mails."""
        box = self.box(
            mode,
            Imap4_Port=self.proxy.port,
            Imap4_SSL="No",
            Allow_Cleartext_Password="Yes",
        )
        box.mail.select("INBOX")
        self.rig.server.put(box.user, FOREIGN, flags="S")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            identities = list(pool.map(lambda _: box.add(), range(OURS)))
        wait_until(
            lambda: f"{OURS} mails; {box.status()}; {box.unit.trace()[-3000:]}",
            lambda: box.status()["sent"] == OURS,
            180,
        )
        self.rig.drain()
        self.assertEqual(FOREIGN + OURS, box.mail.select("INBOX"))
        box.sync()
        unlinked = [identity for identity, message in box.messages().items() if not message["link"]]
        places = {mail.id: mail.uid for mail in box.mail.mails() if mail.id in unlinked}
        self.assertEqual({}, places, f"overlooked; {box.unit.trace()[-30000:] if unlinked else ''}")
        self.assertEqual([], unlinked)
        self.rest()
        return box, identities

    def rest(self):
        """Until the connection is parked and has said all it wanted to."""
        wait_until(lambda: f"IDLE; {self.told()}", self.proxy.is_parked)
        before = None
        while before != self.proxy.cost():
            before = self.proxy.cost()
            time.sleep(0.3)  # silence can only be waited for
        self.assertTrue(self.proxy.is_parked(), self.told())

    def told(self):
        return "\n".join(f"{who}: {data[:300]!r}" for who, data in self.proxy.said[-40:])

    def assert_cost(self, what, round_trips, size):
        self.rest()
        cost = self.proxy.cost()
        total = cost.sent + cost.received
        print(f"{what}: {cost.round_trips} round trips, {total} bytes", end="; ", flush=True)
        self.assertEqual(0, cost.connections, "the connection was not kept")
        self.assertLessEqual(cost.round_trips, round_trips, self.told())
        self.assertLessEqual(total, size, self.told())

    def passes(self, mode):
        box, identities = self.full(mode)
        self.proxy.reset()
        box.sync()
        # Of one folder that is waited in, the server is asked whether it has told everything.
        self.assert_cost("nothing to do", 1, 208 if mode == "Inbox Only" else 2048)

        # Behind the agent's back, so that it finds all of it at once.
        a, b, c, d, e = identities[:5]
        uids = {i: box.mail.uid("INBOX", i) for i in (a, b, c, d, e)}
        self.proxy.reset()
        with self.proxy.held():
            box.mail.add_flags("INBOX", uids[a], READ)
            box.mail.add_flags("INBOX", uids[b], URGENT)
            box.mail.add_flags("INBOX", uids[c], READ, URGENT)
            box.mail.expunge("INBOX", uids[d], uids[e])
        for identity, wanted in ((a, "read"), (b, "new urgent"), (c, "read urgent"), (d, "deleted"), (e, "deleted")):
            box.seen_on_the_phone(identity, wanted)
        self.assert_cost("3 flag changes and 2 expunges", 3, 4096)

        # What is not ours costs what it takes to find that out.
        foreign = [mail.uid for mail in box.mail.mails() if not mail.id][:5]
        self.proxy.reset()
        with self.proxy.held():
            for uid in foreign[:3]:
                box.mail.clear_flags("INBOX", uid, READ)
            box.mail.expunge("INBOX", *foreign[3:])
        wait_until("end of the silence", lambda: self.proxy.cost().received > 0)
        self.assert_cost("the same in foreign mail", 3, 4096)

    def test_in_the_inbox(self):
        self.passes("Inbox Only")

    def test_in_all_folders(self):
        # (That the folders are listed once more before a mail that is nowhere is taken for deleted costs
        # no round trip of its own.)
        self.passes("All Folders")


if __name__ == "__main__":
    vmunit.main()
