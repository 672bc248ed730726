#!/usr/bin/env python3
"""Many mailboxes at one server: they take turns where fewer connections may be open, are connected one
after the other when the agent starts, and wait alone when their provider has enough of us."""

import base64
import json
import re
import threading
import time

import synctest
import vmunit
from countingproxy import CountingProxy
from dovecot import PLAIN_HOST
from faultproxy import Fault, FaultProxy
from mailrig import wait_until

READ, URGENT = r"\Seen", r"\Flagged"


def setUpModule():
    synctest.TestCase.rig = synctest.start()


def tearDownModule():
    synctest.TestCase.rig.stop()


class FleetTestCase(synctest.TestCase):
    """A unit a test; its mailboxes are reached over a proxy, in clear."""

    def fleet(self, **misc):
        unit = self.unit()
        unit.also_said = self.rig.logs
        for name, value in misc.items():
            unit.config("misc", "set", name, str(value))
        return unit

    def boxes(self, unit, count, port, one_worker=False, tls=False):
        """Mailboxes with their accounts behind a port of ours; of one of the two workers, if wanted."""
        clear = {"Imap4_Server": "127.0.0.1", "Imap4_SSL": "No", "Allow_Cleartext_Password": "Yes"}
        boxes = []
        while len(boxes) < count:
            boxes.append(self.box("Inbox Only", unit, Imap4_Port=port, **({} if tls else clear)))
            if one_worker:
                next(self.numbers)  # the other's
        return boxes

    def counting(self):
        proxy = CountingProxy(self.rig.ports["imap"], PLAIN_HOST)
        self.addCleanup(proxy.stop)
        return proxy

    def agent(self, unit):
        agent = unit.agent()
        self.addCleanup(agent.stop)
        agent.wait_for_workers()
        return agent

    def looked_at(self, boxes):
        wait_until(
            lambda: f"look at each; {[box.status() for box in boxes]}; {boxes[0].unit.trace()[-3000:]}",
            lambda: all(box.status()["last_sync"] for box in boxes),
            60,
        )


def logins(proxy):
    """The users whose logins the proxy has seen, in their order."""
    users = []
    for who, data in list(proxy.said):
        if who != "C":
            continue
        if plain := re.search(rb"(?i)AUTHENTICATE PLAIN (\S+)", data):
            users.append(base64.b64decode(plain[1]).split(b"\0")[1].decode())
        elif login := re.search(rb'(?i) LOGIN "?([^" ]+)', data):
            users.append(login[1].decode())
    return users


class TurnsTest(FleetTestCase):
    """More mailboxes than connections."""

    def take_turns(self):
        unit = self.fleet(g_nConnectionsPerServer=3, g_bImap4SyncPendingTimer=1)
        proxy = self.counting()
        boxes = self.boxes(unit, 9, proxy.port)
        self.agent(unit)
        self.looked_at(boxes)
        identities = {box: box.add() for box in boxes}
        wait_until(
            lambda: f"links; {[box.messages() for box in boxes]}; {unit.trace()[-3000:]}",
            lambda: all(box.link(identity) for box, identity in identities.items()),
            60,
        )
        # Nobody is told of what happens in most of these accounts: it is seen when their turn comes, and
        # comes again.
        for flag, words in ((READ, "read"), (URGENT, "read urgent")):
            for box, identity in identities.items():
                box.mail.add_flags("INBOX", identity, flag)
            for box, identity in identities.items():
                box.seen_on_the_phone(identity, words, 60)
        # And on the phone.
        for box, identity in identities.items():
            box.phone("delete", identity)
        for box, identity in identities.items():
            box.seen_in_the_mail(identity, "", 60)
        self.assertEqual(3, proxy.most_open)
        self.assertEqual({"ok"}, {box.status()["state"] for box in boxes}, unit.trace()[-3000:])

    def test_where_connections_are_parked(self):
        self.take_turns()

    def test_where_every_mailbox_is_polled(self):
        self.rig.vary(without={"IDLE"})
        self.addCleanup(self.rig.vary)
        self.take_turns()

    def test_once(self):
        unit = self.fleet(g_nConnectionsPerServer=2)
        proxy = self.counting()
        boxes = self.boxes(unit, 6, proxy.port)
        self.assertIn("accounts looked at 6,", unit.once().stdout)
        self.assertEqual(2, proxy.most_open)
        self.assertEqual(6, len(set(logins(proxy))), proxy.said)
        for box in boxes:
            self.assertEqual("ok", box.status()["state"])

    def test_once_with_wrong_passwords(self):
        """What fails leaves its place to the next one."""
        unit = self.fleet(g_nConnectionsPerServer=1)
        proxy = self.counting()
        boxes = self.boxes(unit, 4, proxy.port)
        for box in boxes[:2]:
            unit.set(box.number, Imap4_Password="forgotten")
        unit.once(status=75)
        self.assertEqual(1, proxy.most_open)
        self.assertEqual({box.user for box in boxes}, set(logins(proxy)), proxy.said)
        self.assertEqual(["error"] * 2 + ["ok"] * 2, [box.status()["state"] for box in boxes])

    def test_pending_work_goes_first(self):
        unit = self.fleet(g_nConnectionsPerServer=2, g_bImap4SyncPendingTimer=1)
        proxy = self.counting()
        boxes = self.boxes(unit, 10, proxy.port, one_worker=True)  # which has one place
        last = boxes[0]
        self.agent(unit)
        self.looked_at(boxes)
        identity = last.add()
        wait_until(lambda: f"link; {last.messages()}; {unit.trace()[-3000:]}", lambda: last.link(identity), 60)
        # It has just had its turn, and another one has its place.
        proxy.reset()
        wait_until(
            lambda: f"turn of {last.user}; {logins(proxy)}",
            lambda: logins(proxy)[-2:-1] == [last.user],
            60,
        )
        with proxy.held():
            last.phone("mark", identity, "--read")
            held = len(logins(proxy))
            time.sleep(1.5)  # meanwhile the others fall due
        last.seen_in_the_mail(identity, f"INBOX {READ}")
        after = logins(proxy)[held:]
        # One was connected, one may have been about to be when the phone was marked.
        self.assertIn(last.user, after[:3], after)
        self.assertEqual(1, proxy.most_open)

    def test_pending_work_goes_before_first_looks(self):
        """A start that takes its time keeps nobody waiting who uses the phone."""
        unit = self.fleet(g_nConnectionsPerServer=2, g_nLoginsPerSecond=1, g_bImap4SyncPendingTimer=86400)
        proxy = self.counting()
        boxes = self.boxes(unit, 10, proxy.port, one_worker=True)
        self.agent(unit)
        wait_until("second login", lambda: len(logins(proxy)) > 1)
        with proxy.held():
            held = len(logins(proxy))
            self.assertLess(held, 7, "too late to show anything")
            [first] = [box for box in boxes if box.user == logins(proxy)[0]]
            first.add()  # what the phone does
        wait_until(lambda: f"three logins; {logins(proxy)}", lambda: len(logins(proxy)) >= held + 3)
        self.assertIn(first.user, logins(proxy)[held : held + 3])


class PaceTest(FleetTestCase):
    def test_logins_are_spread_over_time(self):
        count, rate = 16, 4
        unit = self.fleet(g_nLoginsPerSecond=rate)
        proxy = self.counting()
        boxes = self.boxes(unit, count, proxy.port)
        started = time.monotonic()
        self.agent(unit)
        self.looked_at(boxes)
        # (However late the proxy notices: what comes late is no more than what comes in time.)
        opened = [at - started for at in proxy.opened]
        self.assertEqual(count, len(opened))
        for number, at in enumerate(opened, 1):
            self.assertLessEqual(number, rate + rate * at, opened)

    def test_a_start_that_goes_on_is_shown(self):
        unit = self.fleet()
        proxy = self.counting()
        boxes = self.boxes(unit, 5, proxy.port)
        line = "0 of 5 looked at since the start\n"
        with proxy.held():
            self.agent(unit)
            wait_until(
                lambda: f"progress in {unit.ctl('status').stdout}",
                lambda: f"Accounts: {line}" in unit.ctl("status").stdout,
            )
            self.assertEqual({"number": 5, "looked_at": 0}, self.accounts(unit))
            self.assertIn(f"Accounts   {line}", unit.ctl("top", "--once").stdout)
        self.looked_at(boxes)
        wait_until(
            lambda: f"end of the start; {self.accounts(unit)}",
            lambda: self.accounts(unit) == {"number": 5, "looked_at": 5},
        )
        for command in (("status",), ("top", "--once")):
            self.assertNotIn("since the start", unit.ctl(*command).stdout)

    @staticmethod
    def accounts(unit):
        return json.loads(unit.ctl("status", "--json").stdout)["agent"]["accounts"]


class BusyAtGreeting(Fault):
    words = b"* BYE [UNAVAILABLE] Too many connections, try again later\r\n"

    def piece(self, link, by_client, data):
        if not by_client:
            link.send(False, self.words)
        return False


class BusyAtLogin(Fault):
    """As a provider with enough of one subscriber's connections, or of everybody's."""

    def __init__(self, words):
        super().__init__()
        self._words = words.encode()

    def piece(self, link, by_client, data):
        login = by_client and re.search(rb"(?i)(\S+) (?:AUTHENTICATE|LOGIN) ", data)
        if not login:
            return super().piece(link, by_client, data)
        link.send(False, login[1] + b" NO " + self._words + b"\r\n")
        return True


class BearsTwo(Fault):
    """Has room for two connections; the next ones are turned away."""

    def __init__(self, words=BusyAtGreeting.words):
        super().__init__()
        self._words = words
        self.turned_away = 0
        self._links = set()
        self._changed = threading.Condition()

    def piece(self, link, by_client, data):
        with self._changed:
            if link not in self._links:
                # One that the agent has closed may not have been noticed yet.
                if not self._changed.wait_for(lambda: len(self._links) < 2, 2):
                    self.turned_away += 1
                    if self._words:
                        link.send(False, self._words)
                    return False
                self._links.add(link)
        return super().piece(link, by_client, data)

    def ended(self, link):
        with self._changed:
            self._links.discard(link)
            self._changed.notify_all()


class ThrottledTest(FleetTestCase):
    """Of two providers one has enough of us."""

    def proxy(self):
        proxy = FaultProxy(self.rig.ports["imap"], PLAIN_HOST)
        self.addCleanup(proxy.stop)
        return proxy

    def told(self, boxes, words):
        wait_until(
            lambda: f"{words} in each of {[box.status() for box in boxes]}; {boxes[0].unit.trace()[-3000:]}",
            lambda: all(words in box.status()["reason"] for box in boxes),
        )
        self.assertEqual({"error"}, {box.status()["state"] for box in boxes})

    def served(self, boxes):
        """What happens there goes both ways."""
        for box in boxes:
            identity = box.add()
            wait_until(lambda: f"link; {box.messages()}", lambda: box.link(identity), 60)
            box.mail.add_flags("INBOX", identity, READ)
            box.seen_on_the_phone(identity, "read")
            box.phone("urgent", identity, "--set")
            box.seen_in_the_mail(identity, f"INBOX {URGENT} {READ}")
            self.assertEqual("ok", box.status()["state"])

    def throttled(self, fault, words, attempts):
        # (What was refused is not tried again by itself while the test runs.)
        unit = self.fleet(g_nRepeatStartUpPeriod=3600)
        proxy = self.proxy()
        strict, other = proxy.listen(fault), proxy.listen()
        waiting, served = self.boxes(unit, 5, strict), self.boxes(unit, 4, other)
        self.agent(unit)
        self.looked_at(served)
        self.told(waiting, words)
        self.told(waiting, f"127.0.0.1:{strict}")
        self.served(served)
        self.assertEqual(attempts, proxy.connections[strict])
        proxy.faults[strict] = Fault()
        for box in waiting:
            box.sync()
            self.assertEqual(("ok", ""), (box.status()["state"], box.status()["reason"]))

    def test_at_its_greeting(self):
        # Once by each worker.
        self.throttled(BusyAtGreeting(), "Too many connections, try again later", 2)

    def test_at_the_login(self):
        words = "[LIMIT] Too many simultaneous connections"
        self.throttled(BusyAtLogin(words), words, 5)

    def test_at_the_login_for_now(self):
        words = "[UNAVAILABLE] Too many users, come back later"
        self.throttled(BusyAtLogin(words), words, 5)

    def test_mailboxes_take_turns_for_what_it_bears(self):
        self.take_turns(BearsTwo(), self.proxy())

    def test_mailboxes_take_turns_where_others_are_cut_off(self):
        # As by a Dovecot that has reached its process_limit: in the middle of the TLS handshake.
        proxy = FaultProxy(self.rig.ports["imaps"])
        self.addCleanup(proxy.stop)
        self.take_turns(BearsTwo(b""), proxy, tls=True)

    def take_turns(self, fault, proxy, tls=False):
        unit = self.fleet(g_nRepeatStartUpPeriod=1, g_bImap4SyncPendingTimer=1)
        boxes = self.boxes(unit, 4, proxy.listen(fault), one_worker=True, tls=tls)
        self.agent(unit)
        self.looked_at(boxes)
        self.served(boxes)
        self.served(boxes)
        # The server was proved by one, and four at once came to it then.
        self.assertLessEqual(fault.turned_away, 3)

    def test_a_subscriber_with_too_many_programs(self):
        self.rig.vary(extra="mail_max_userip_connections = 1\n")
        self.addCleanup(self.rig.vary)
        unit = self.fleet()
        busy, *others = self.boxes(unit, 4, self.proxy().listen())
        self.assertTrue(busy.mail.imap)
        self.agent(unit)
        self.looked_at(others)
        self.told([busy], "Maximum number of connections")
        self.assertEqual({"ok"}, {box.status()["state"] for box in others})
        busy.mail.close()
        busy.sync()
        self.assertEqual(("ok", ""), (busy.status()["state"], busy.status()["reason"]))


if __name__ == "__main__":
    vmunit.main()
