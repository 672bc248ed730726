#!/usr/bin/env python3
"""The network between the unit and real servers: connections cut after the nth byte of either direction,
and every byte in a packet of its own. Each cut has a mailbox, an account and a proxy's port of its own, so
that one run of the agent meets many. Afterwards the network is well again, and what there is must be what
there would be without: every message exactly once, the subscriber's other mails untouched.

    faults_cut_test.py                a sample of the bytes
    faults_cut_test.py --every 1      after every byte (an hour); --every 7: of each seven one
"""

import collections
import concurrent.futures
import hashlib
import json
import random
import re

import media
import vmunit
from dovecot import PLAIN_HOST
from faultoptions import option
from faultproxy import CutAfter, CutBehind, Fault, FaultProxy, SingleBytes
from mailrig import MailRig
from passwords import PASSWORD

BATCH = 40  # mailboxes and accounts at a time
SAMPLE = {"pushed": 24, "synced": 12}  # cuts of each direction, when no others are asked for
EVERY = option("--every", 0)
SEED = option("--seed", random.SystemRandom().randrange(10**6))
FOREIGN = 3
FOLDERS = ("INBOX", "Work", "Trash")


class CutTest(vmunit.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rig = MailRig({f"user{n}": PASSWORD for n in range(BATCH)})
        cls.addClassCleanup(cls.rig.stop)
        cls.rig.start()
        for user in cls.rig.users:
            cls.rig.server.put(user, FOREIGN)
        cls.smtp, cls.imap = FaultProxy(cls.rig.ports["cleartext"]), FaultProxy(cls.rig.ports["imap"], PLAIN_HOST)
        cls.addClassCleanup(cls.smtp.stop)
        cls.addClassCleanup(cls.imap.stop)

    # ---- the scene ------------------------------------------------------------------------------------
    def prepared(self, count, sync):
        """A unit with so many mailboxes; number -> (user, SMTP port, IMAP port)."""
        unit = self.unit()
        unit.config("misc", "set", "g_bEnableSendMsgAsAttachment", "False")
        boxes = {}
        for n, user in zip(range(count), self.rig.users):
            self.remove_ours(user)
            number, ports = str(101 + n), (self.smtp.listen(), self.imap.listen())
            boxes[number] = (user, *ports)
            unit.mailbox(
                number, self.rig, user, "cleartext",
                Smtp_Server="127.0.0.1", Smtp_Port=ports[0],
                Email_Integration_Sync_Mode="All Folders" if sync else "None", Imap4_Server="127.0.0.1",
                Imap4_Port=ports[1], Imap4_SSL="No", Imap4_Account=user, Imap4_Password=self.rig.users[user],
                Allow_Cleartext_Password="Yes",
            )  # fmt: skip
        return unit, boxes

    def remove_ours(self, user):
        with self.rig.imap(user) as connection:
            for folder in FOLDERS:
                if connection.select(folder)[0] != "OK":
                    continue
                for number in connection.search(None, "HEADER", "X-VM-Message-Id", '""')[1][0].split():
                    connection.store(number, "+FLAGS", r"(\Deleted)")
                connection.expunge()

    def in_parallel(self, work, arguments):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return list(pool.map(work, arguments))

    def account(self, user):
        """(id or a foreign mail's digest) -> the places it lies in, flags and all."""
        places = collections.defaultdict(list)
        with self.rig.imap(user) as connection:
            for folder in FOLDERS:
                if connection.select(folder, readonly=True)[0] != "OK":
                    continue
                numbers = connection.search(None, "ALL")[1][0].split()
                for number in numbers:
                    told = connection.fetch(number, "(FLAGS BODY.PEEK[])")[1]
                    mail = told[0][1]
                    head = re.search(rb"(?im)^X-VM-Message-Id: *(\S+)", mail.split(b"\r\n\r\n")[0])
                    name = head[1].decode() if head else hashlib.sha256(mail).hexdigest()
                    flags = sorted(re.findall(rb"\\(?:Seen|Flagged|Deleted)", told[0][0] + told[1]))
                    places[name].append(b" ".join([folder.encode(), *flags]).decode())
        return dict(places)

    # ---- pushes -------------------------------------------------------------------------------------------
    def pushed(self, faults):
        """One message a fault, through it and then without; returns how each delivery went on."""
        unit, boxes = self.prepared(len(faults), sync=False)
        identities = dict(zip(boxes, self.in_parallel(lambda n: unit.add(n, media.recording("digits/1")), boxes)))
        foreign = {user: self.account(user) for user, _, _ in boxes.values()}
        for (_, port, _), fault in zip(boxes.values(), faults):
            self.smtp.faults[port] = fault
        unit.once(status=None)
        for _, port, _ in boxes.values():
            self.smtp.faults[port] = Fault()
        self.rig.drain()
        listed = json.loads(unit.ctl("message", "list", "--json").stdout)["messages"]
        first = {message["id"]: message["delivery"]["state"] for message in listed}
        if set(first.values()) != {"sent"}:
            unit.ctl("queue", "retry")
            unit.once()
            self.rig.drain()
        for number, (user, _, _) in boxes.items():
            identity = identities[number]
            self.assertEqual({**foreign[user], identity: ["INBOX"]}, self.account(user), f"{first[identity]}; seed {SEED}")
            self.assertEqual("sent", unit.state(identity))
        return collections.Counter(first.values())

    def length(self, by_client, run):
        """How many bytes of one direction a dialogue without a fault has."""
        whole = CutAfter(by_client, 1 << 40)
        run([whole])
        return whole.counts[by_client]

    def cuts(self, length, sample):
        """The places, the ends of the dialogue always among them."""
        if EVERY:
            return range(0, length, EVERY)
        within_the_last_reply = length - 30
        return sorted({0, 1, within_the_last_reply, *random.Random(SEED).sample(range(length), sample - 3)})

    def cut_anywhere(self, run, by_client):
        length = self.length(by_client, run)
        cuts = list(self.cuts(length, SAMPLE[run.__name__]))
        total, happened = collections.Counter(), 0
        for at in range(0, len(cuts), BATCH):
            faults = [CutAfter(by_client, n, reset=n % 2 == 1) for n in cuts[at : at + BATCH]]
            total += run(faults)
            happened += sum(fault.happened for fault in faults)
        print(f"{happened} of {len(cuts)} cuts in {length} bytes:", dict(total), "seed", SEED, flush=True)
        # Times and lengths differ a little from mailbox to mailbox.
        self.assertGreater(happened, 0.8 * len(cuts))
        return total

    def test_push_cut_in_what_the_unit_says(self):
        total = self.cut_anywhere(self.pushed, by_client=True)
        self.assertGreater(total["deferred"], 0)

    def test_push_cut_in_what_the_server_says(self):
        total = self.cut_anywhere(self.pushed, by_client=False)
        self.assertGreater(total["uncertain"], 0)

    def test_push_byte_by_byte(self):
        self.assertEqual({"sent": 4}, self.pushed([SingleBytes() for _ in range(4)]))

    # ---- passes -------------------------------------------------------------------------------------------
    def synced(self, faults, **options):
        """In each mailbox two messages changed on the phone and two in the mail; a pass through the fault
        and one without."""
        unit, boxes = self.prepared(len(faults), sync=True)
        for number in boxes if options else ():
            unit.set(number, **options)
        rounds = [n for n in boxes for _ in range(4)]
        added = self.in_parallel(lambda n: unit.add(n, media.recording("digits/1")), rounds)
        unit.once()
        self.rig.drain()
        unit.once()
        ids = {number: sorted(added[4 * n : 4 * n + 4]) for n, number in enumerate(boxes)}
        foreign = {number: self.account(user) for number, (user, _, _) in boxes.items()}
        for number, (user, _, _) in boxes.items():
            self.assertEqual(4 + FOREIGN, len(foreign[number]))
            for identity in ids[number]:
                foreign[number].pop(identity)
            self.change_mail(user, ids[number])

        def change_phone(number):
            unit.ctl("message", "move", ids[number][0], "--folder", "Work")
            unit.ctl("message", "delete", ids[number][1])

        self.in_parallel(change_phone, boxes)
        for (_, _, port), fault in zip(boxes.values(), faults):
            self.imap.faults[port] = fault
        unit.once(status=None)
        for _, _, port in boxes.values():
            self.imap.faults[port] = Fault()
        states = collections.Counter(m["state"] for m in json.loads(unit.ctl("status", "--json").stdout)["mailboxes"])
        unit.once()
        listed = json.loads(unit.ctl("message", "list", "--all", "--json").stdout)["messages"]
        found = {m["id"]: (m["state"], m["folder"], m["delivery"]["attempts"]) for m in listed}
        for number, (user, _, _) in boxes.items():
            a, b, c, d = ids[number]
            expected = {a: ["Work"], c: [r"INBOX \Seen"], **foreign[number]}
            if options.get("Imap4_Delete_Mode") == "Trash":
                expected[b] = ["Trash"]
            self.assertEqual(expected, self.account(user), f"{number}; seed {SEED}; {unit.trace()[-3000:]}")
            self.assertEqual(
                [("new", "Work", 1), ("deleted", "INBOX", 1), ("read", "INBOX", 1), ("deleted", "INBOX", 1)],
                [found[i] for i in (a, b, c, d)], number,
            )  # fmt: skip
        return states

    def change_mail(self, user, ids):
        with self.rig.imap(user) as connection:
            connection.select("INBOX")
            for identity, flag in ((ids[2], r"\Seen"), (ids[3], r"\Deleted")):
                [number] = connection.search(None, "HEADER", "X-VM-Message-Id", identity)[1][0].split()
                connection.store(number, "+FLAGS", f"({flag})")
            connection.expunge()

    def test_pass_cut_in_what_the_unit_says(self):
        total = self.cut_anywhere(self.synced, by_client=True)
        self.assertGreater(total["error"], 0)

    def test_pass_cut_in_what_the_server_says(self):
        total = self.cut_anywhere(self.synced, by_client=False)
        self.assertGreater(total["error"], 0)

    def test_pass_cut_without_move(self):
        """What a COPY has brought to its folder is not copied again, and leaves where it was."""
        self.addCleanup(self.rig.vary)
        self.rig.vary(without=("MOVE",))
        for words in (b"UID COPY", b"UID STORE", b"UID EXPUNGE"):
            for mode in ("Expunge", "Trash"):
                faults = [CutBehind(words), CutBehind(words)]
                self.synced(faults, Imap4_Delete_Mode=mode)
                self.assertEqual([True, True], [fault.happened for fault in faults], words)

    def test_pass_byte_by_byte(self):
        self.assertEqual({"ok": 4}, self.synced([SingleBytes() for _ in range(4)]))


if __name__ == "__main__":
    vmunit.main()
