#!/usr/bin/env python3
"""Connections cut about the final dot, where nobody can know whether the mail was taken: the account is
searched before anything is sent again. A real Postfix and Dovecot, a proxy that cuts (faultproxy.CutAtDot,
its four ways in turn), and a count of what became of each message.

    faults_uncertain_test.py                 50 cuts, half of them beside synchronisation
    faults_uncertain_test.py --cuts 1000     prints cuts, resent, duplicates, lost

Between the cut and the search Postfix is let finish with what it has: the product leaves it minutes for
that (`queue retry` ends the pause here), and what a server takes longer to deliver can be told by nobody.
"""

import collections
import concurrent.futures
import json

import media
import vmunit
from faultoptions import option
from faultproxy import CutAtDot, Fault, FaultProxy
from mailrig import MailRig
from passwords import PASSWORD

CUTS = option("--cuts", 25)
BATCH = 25  # mailboxes at a time
WAYS = ("before", "after", "reset", "reply")


class UncertainTest(vmunit.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rig = MailRig({f"user{n}": PASSWORD for n in range(2 * BATCH)})
        cls.addClassCleanup(cls.rig.stop)
        cls.rig.start()

    def states(self, unit):
        listed = json.loads(unit.ctl("message", "list", "--json").stdout)["messages"]
        return {message["id"]: message["delivery"]["state"] for message in listed}

    def arrived(self, users):
        """How often each message lies in the accounts, whichever way it came."""
        counts = collections.Counter()
        for user in users:
            for mail in self.rig.mails(user):
                header = mail.split(b"\r\n\r\n")[0].decode()
                counts[header.split("X-VM-Message-Id: ")[1].split("\r\n")[0]] += 1
        return counts

    def cut(self, proxy, users, sync_mode):
        unit = self.unit()
        unit.config("misc", "set", "g_bEnableSendMsgAsAttachment", "False")
        ports = {way: proxy.listen() for way in WAYS}
        numbers = [str(101 + n) for n in range(len(users))]
        for n, (number, user) in enumerate(zip(numbers, users)):
            unit.mailbox(
                number, self.rig, user, "cleartext",
                Smtp_Port=ports[WAYS[n % 4]], Email_Integration_Sync_Mode=sync_mode,
                Imap4_Server=self.rig.host, Imap4_Port=self.rig.ports["imaps"], Imap4_SSL="Yes",
                Imap4_Account=user, Imap4_Password=self.rig.users[user], Allow_Cleartext_Password="Yes",
            )  # fmt: skip
        total = collections.Counter()
        sent = set()
        while total["cuts"] < CUTS:
            count = min(len(numbers), CUTS - total["cuts"])
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                added = set(pool.map(lambda n: unit.add(n, media.recording("digits/1")), numbers[:count]))
            for way, port in ports.items():
                proxy.faults[port] = CutAtDot(way)
            unit.once(status=75)
            cuts = sum(proxy.faults[port].cuts for port in ports.values())
            states = self.states(unit)
            self.assertEqual(count, cuts, states)
            total["cuts"] += cuts
            for port in ports.values():
                proxy.faults[port] = Fault()
            self.rig.drain()
            taken = self.arrived(users)
            total["not taken"] += sum(identity not in taken for identity in added)
            self.assertEqual({"sent"}, {states[identity] for identity in sent} or {"sent"})
            unit.ctl("queue", "retry")
            unit.once()
            self.rig.drain()
            sent |= added
            self.assertEqual({"sent"}, set(self.states(unit).values()))
        arrived = self.arrived(users)
        total["resent"] = sum(self.attempts(unit)) - len(sent)
        total["duplicates"] = sum(count - 1 for count in arrived.values())
        total["lost"] = len(sent - set(arrived))
        print(f"sync mode {sync_mode}:", ", ".join(f"{value} {name}" for name, value in total.items()), flush=True)
        self.assertEqual((0, 0), (total["duplicates"], total["lost"]))
        self.assertEqual(total["not taken"], total["resent"])
        self.assertGreater(total["resent"], CUTS // 8)
        self.assertLess(total["resent"], CUTS)

    def attempts(self, unit):
        listed = json.loads(unit.ctl("message", "list", "--json").stdout)["messages"]
        return [message["delivery"]["attempts"] for message in listed]

    def test_by_the_search_alone(self):
        with FaultProxy(self.rig.ports["cleartext"]) as proxy:
            self.cut(proxy, list(self.rig.users)[:BATCH], "None")

    def test_beside_the_synchronisation(self):
        with FaultProxy(self.rig.ports["cleartext"]) as proxy:
            self.cut(proxy, list(self.rig.users)[BATCH:], "All Folders")


if __name__ == "__main__":
    vmunit.main()
