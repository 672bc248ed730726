#!/usr/bin/env python3
"""vmasterisk between a spool as Asterisk writes it and a unit. What the account sees of it is in
asterisk_mail_test.py."""

import concurrent.futures
import contextlib
import json
import os
import shutil
import subprocess
import threading
import time

import asterisk
import media
import vmunit
from mailrig import dies_with_parent, free_port, wait_until

SECONDS = 20  # for what is to be there in two, on a busy machine
SECRET = "ami-S3cret"


class AsteriskTestCase(vmunit.TestCase):
    lock_mode = "lockfile"

    def setUp(self):
        super().setUp()
        self.server = asterisk.Server(self, self.lock_mode)

    def site(self, *numbers, server=None, **settings):
        """A unit with these mailboxes, and those of the server."""
        unit = self.unit()
        for number in numbers:
            unit.config("mailbox", "create", number)
        self.settings(unit, server=server, **settings)
        return unit

    def settings(self, unit, mailboxes=(), server=None, **settings):
        values = {"Spool": (server or self.server).spool, "Lock Mode": self.lock_mode}
        values.update({name.replace("_", " "): value for name, value in settings.items()})
        lines = ["[Asterisk]", *(f"{name} = {value}" for name, value in values.items())]
        file = unit.root / "etc/asterisk.ini"
        file.write_text("\n".join([*lines, "[Mailboxes]", *mailboxes, ""]))
        file.chmod(0o600)

    def once(self, unit, *arguments, status=0, environment=None):
        if environment:
            command = unit.command("vmasterisk", "--once", *arguments)
            command[0] = command[0].replace("/bin/", "/crash/bin/")
            return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
        return unit.run("vmasterisk", "--once", *arguments, status=status)

    def messages(self, unit, number="101"):
        """{msg_id: as a person would say it} of a mailbox, deleted ones too."""
        listed = json.loads(unit.ctl("message", "list", "--mailbox", number, "--all", "--json").stdout)["messages"]
        return {
            asterisk.msg_id_of(m["origin"]): (
                m["state"] + (" urgent" if m["urgent"] else "") + ("" if m["folder"] == "INBOX" else f" in {m['folder']}")
            )
            for m in listed
        }

    def id_of(self, unit, msg_id, number="101"):
        listed = json.loads(unit.ctl("message", "list", "--mailbox", number, "--all", "--json").stdout)["messages"]
        return next(m["id"] for m in listed if asterisk.msg_id_of(m["origin"]) == msg_id)

    def phone(self, unit, what, msg_id, *arguments, number="101"):
        unit.ctl("message", what, self.id_of(unit, msg_id, number), *arguments)

    @contextlib.contextmanager
    def running(self, unit):
        with open(unit.root / "vmasterisk.log", "ab") as log:
            process = subprocess.Popen(
                unit.command("vmasterisk"), stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=dies_with_parent
            )
        try:
            yield process
        finally:
            process.terminate()
            status = process.wait(60)
        self.assertIn(status, (0, -9), self.log(unit))

    def log(self, unit):
        return (unit.root / "vmasterisk.log").read_text()

    def comes_to(self, wanted, look, unit):
        wait_until(lambda: f"{wanted}; {look()}; {self.log(unit)}", lambda: look() == wanted, SECONDS)


class InTest(AsteriskTestCase):
    def test_each_message_comes_once_with_what_asterisk_knows_of_it(self):
        unit, box = self.site("101"), self.server.box("101")
        ann = box.record(when=time.time() - 3600)
        urgent = box.record("4712", urgent=True)
        with box.session() as call:
            heard = box.record('"Unknown" <Unknown>')
            call.hear(heard)
        with box.session() as call:
            kept = box.record()
            call.save(kept, "Work")
        for _ in range(2):
            self.once(unit)
            self.assertEqual(
                {ann: "new", urgent: "new urgent", heard: "read", kept: "read in Work"}, self.messages(unit)
            )
        message = unit.message(self.id_of(unit, ann))
        self.assertEqual(("Ann Lee", "4711", "voice"), tuple(message[k] for k in ("caller_name", "caller_number", "kind")))
        self.assertEqual(int(box.read(box.files("INBOX", 0)[0])["origtime"]) % 60, int(message["received"][17:19]))
        self.assertIn(message["duration_ms"] - media.duration_ms(media.recording("digits/1")), (0, 1))
        self.assertRegex(message["origin"], f"^asterisk/asterisk/default/101/{ann}/[0-9a-f]{{16}}$")
        self.assertEqual(("4712", ""), tuple(unit.message(self.id_of(unit, urgent))[k] for k in ("caller_number", "caller_name")))
        self.assertEqual(("", ""), tuple(unit.message(self.id_of(unit, heard))[k] for k in ("caller_number", "caller_name")))
        self.assertEqual([], box.strays())

    def test_one_call_for_two_mailboxes_is_two_messages(self):
        unit, ann, bob = self.site("101", "102"), self.server.box("101"), self.server.box("102")
        both = ann.record()
        ann.forward_to(bob, "INBOX", both)
        self.once(unit)
        self.assertEqual([{both: "new"}] * 2, [self.messages(unit, n) for n in ("101", "102")])
        self.phone(unit, "delete", both)
        self.once(unit)
        self.assertEqual([[], ["INBOX"]], [box.where(both) for box in (ann, bob)])

    def test_a_message_that_comes_back_with_a_comment_is_another_one(self):
        unit, ann, bob = self.site("101", "102"), self.server.box("101"), self.server.box("102")
        first = ann.record()
        self.once(unit)
        comments = [media.recording(f"digits/{n}") for n in (2, 3)]
        for comment in comments:  # to Bob, who has it twice, and sends one back
            with ann.comment("INBOX", first, comment):
                ann.forward_to(bob, "INBOX", first)
                self.once(unit)
        bob.forward_to(ann, "INBOX", first)
        self.once(unit)

        def sounds(number):
            listed = json.loads(unit.ctl("message", "list", "--mailbox", number, "--json").stdout)["messages"]
            for message in listed:
                unit.ctl("message", "export", message["id"], "--as", "media", "--output", self.files / message["id"])
            return [(self.files / m["id"]).read_bytes() for m in listed], [m["id"] for m in listed]

        wanted = [c.read_bytes() for c in comments]
        self.assertCountEqual(wanted, sounds("102")[0])
        recorded = media.recording("digits/1").read_bytes()
        heard, identities = sounds("101")
        self.assertCountEqual([recorded, wanted[0]], heard)
        # Deleted is the one that was meant.
        unit.ctl("message", "delete", identities[heard.index(recorded)])
        self.once(unit)
        self.assertEqual({1: first}, ann.ids("INBOX"))
        self.assertEqual({0: first, 1: first}, bob.ids("INBOX"))
        self.assertEqual([], ann.strays() + bob.strays())

    def test_which_mailbox_is_whose(self):
        unit, sales = self.site("101", "102"), self.server.box("4711", "sales")
        self.settings(unit, ["4711@sales = 102", "101@default = None"])
        theirs = sales.record()
        for box in (self.server.box("101"), self.server.box("103"), self.server.box("102", "sales")):
            box.record()
        done = self.once(unit)
        self.assertIn("left alone", done.stderr)
        self.assertEqual(({}, {theirs: "new"}), (self.messages(unit), self.messages(unit, "102")))
        checked = unit.run("vmasterisk", "--check").stdout
        self.assertIn("4711@sales is mailbox 102\n", checked)
        self.assertIn("101@default is left alone\n", checked)

    def test_a_message_without_a_name_keeps_to_itself_when_it_gets_one(self):
        unit, box = self.site("101"), self.server.box("101")
        box.record(named=False)
        box.record(named=False)
        self.once(unit)
        before = self.messages(unit)
        self.assertEqual(["new", "new"], list(before.values()))
        with box.session() as call:
            call.deleted.add(0)
        file = box.directory / "INBOX/msg0000.txt"  # the other one, renumbered, and as add_message_id() leaves it
        text = file.read_text().replace("=", " = ")
        file.write_text(text.replace("[message]\n", "[message]\n") + "msg_id = 1700000000-00000009\n")
        self.once(unit)
        self.assertEqual(["deleted", "new"], sorted(self.messages(unit).values()))
        self.assertEqual(before.keys(), self.messages(unit).keys())

    def test_old_messages_are_not_mailed(self):
        unit, box = self.site("101", Backlog_Days=3), self.server.box("101")
        unit.set("101", Email_Integration="Yes", Email_Name="ann@example.test", Smtp_Server="localhost")
        old, new = box.record(when=time.time() - 4 * 86400), box.record(when=time.time() - 2 * 86400)
        self.once(unit)
        self.assertEqual(["off", "queued"], [unit.state(self.id_of(unit, i)) for i in (old, new)])

    def test_what_is_no_recording_is_told_and_left(self):
        unit, box = self.site("101"), self.server.box("101")
        broken, gsm, both = box.record(), box.record(), box.record()
        (box.directory / "INBOX/msg0000.wav").write_bytes(b"RIFF")
        (box.directory / "INBOX/msg0001.wav").rename(box.directory / "INBOX/msg0001.gsm")
        shutil.copy(box.directory / "INBOX/msg0002.wav", box.directory / "INBOX/msg0002.WAV")
        (box.directory / "INBOX/msg0002.wav").write_bytes(b"")
        done = self.once(unit)
        self.assertEqual({both: "new"}, self.messages(unit))
        self.assertIn("msg0000", done.stderr)
        self.assertIn("gsm", done.stderr)
        self.assertEqual([["INBOX"]] * 2, [box.where(i) for i in (broken, gsm)])

    def test_many_that_cannot_be_taken_keep_no_other_waiting(self):
        unit, box = self.site("101"), self.server.box("101")
        for number in range(60):
            box.record()
            (box.directory / f"INBOX/msg{number:04}.wav").rename(box.directory / f"INBOX/msg{number:04}.gsm")
        good = [box.record() for _ in range(60)]
        self.once(unit)
        self.assertEqual(set(good), set(self.messages(unit)))

    def test_hostile_envelopes(self):
        unit, box = self.site("101"), self.server.box("101")
        good = box.record()
        inbox = box.directory / "INBOX"
        os.mkfifo(inbox / "msg0001.txt")
        (inbox / "msg0002.txt").symlink_to("/etc/passwd")
        (inbox / "msg0003.txt").write_bytes(b"[message]\n" + b"x" * 100_000)
        (inbox / "msg0004.txt").mkdir()
        shutil.copy(inbox / "msg0000.wav", inbox / "msg0005.wav")
        (inbox / "msg0005.txt").write_text("[message]\ncallerid=\x1b[31m\"Ev\0il\" <\n>\nmsg_id=../../x\norigtime=99999999999999\n")
        self.once(unit)
        self.assertEqual({good: "new"}, self.messages(unit))
        # While there is what cannot be read, nothing is taken for deleted.
        for file in box.files("INBOX", 0):
            file.unlink()
        self.once(unit)
        self.assertEqual({good: "new"}, self.messages(unit))


class OutTest(AsteriskTestCase):
    def test_a_deletion_takes_exactly_that_message(self):
        self.server.formats = ("wav", "WAV", "gsm")
        unit, box = self.site("101"), self.server.box("101")
        a, b, c = (box.record() for _ in range(3))
        self.once(unit)
        others = [(f, f.read_bytes()) for n in (0, 2) for f in box.files("INBOX", n)]
        self.phone(unit, "delete", b)
        self.once(unit)
        self.assertEqual({0: a, 2: c}, box.ids("INBOX"))  # the gap stays
        self.assertEqual([], box.files("INBOX", 1))
        self.assertEqual(others, [(f, f.read_bytes()) for n in (0, 2) for f in box.files("INBOX", n)])
        self.once(unit)
        self.assertEqual({a: "new", b: "deleted", c: "new"}, self.messages(unit))

    def test_it_is_known_by_its_name_not_its_number(self):
        unit, box = self.site("101"), self.server.box("101")
        a, b, c = (box.record() for _ in range(3))
        self.once(unit)
        with box.session() as call:
            call.delete(a)  # b becomes 0, c becomes 1
        self.phone(unit, "delete", b)
        self.once(unit)
        self.assertEqual([c], list(box.ids("INBOX").values()))
        self.assertEqual({a: "deleted", b: "deleted", c: "new"}, self.messages(unit))

    def test_what_was_heard_moves_as_asterisk_moves_it(self):
        self.server.formats = ("wav", "gsm")
        unit, box = self.site("101"), self.server.box("101")
        with box.session() as call:
            first = box.record()
            call.hear(first)
        a, b, urgent = box.record(), box.record(), box.record(urgent=True)
        self.once(unit)
        files = {f.suffix: f.read_bytes() for f in box.files("INBOX", 0)}
        for identity in (a, urgent):
            self.phone(unit, "mark", identity, "--read")
        self.once(unit)
        self.assertEqual({1: b}, box.ids("INBOX"))
        self.assertEqual({}, box.ids("Urgent"))
        self.assertEqual(first, box.ids("Old")[0])
        self.assertEqual({a, urgent}, {box.ids("Old")[n] for n in (1, 2)})
        number = next(n for n, i in box.ids("Old").items() if i == a)
        self.assertEqual(files, {f.suffix: f.read_bytes() for f in box.files("Old", number)})
        for identity in (a, urgent):
            self.phone(unit, "mark", identity, "--new")
        self.once(unit)
        self.assertEqual([["INBOX"], ["Urgent"]], [box.where(i) for i in (a, urgent)])
        self.assertEqual({0: first}, box.ids("Old"))
        self.assertEqual([], box.strays())

    def test_folders(self):
        unit, box = self.site("101"), self.server.box("101")
        a, b = box.record(), box.record()
        self.once(unit)
        self.phone(unit, "move", a, "--folder", "Family")
        self.phone(unit, "move", b, "--folder", "Büro")  # Asterisk has none of that name
        self.once(unit)
        self.assertEqual([["Family"], ["INBOX"]], [box.where(i) for i in (a, b)])
        self.assertEqual(0o777 & os.stat(box.directory / "INBOX").st_mode, 0o777 & os.stat(box.directory / "Family").st_mode)
        with box.session("Family") as call:
            call.save(a, "Old")
        self.once(unit)
        self.assertEqual({a: "read", b: "new in Büro"}, self.messages(unit))

    def test_a_mailbox_without_moveheard(self):
        unit, box = self.site("101", Move_Heard="No"), self.server.box("101")
        a = box.record()
        self.once(unit)
        self.phone(unit, "mark", a, "--read")
        self.once(unit)
        self.assertEqual((["INBOX"], {a: "read"}), (box.where(a), self.messages(unit)))

    def test_a_full_folder(self):
        unit, box = self.site("101"), self.server.box("101")
        a = box.record()
        (box.directory / "Old").mkdir()
        for extension in ("txt", "wav"):
            shutil.copy(box.directory / f"INBOX/msg0000.{extension}", box.directory / f"Old/msg0099.{extension}")
        (box.directory / "Old/msg0099.txt").write_text("[message]\nmsg_id=1-1\norigtime=1700000000\n")
        self.once(unit)
        self.phone(unit, "mark", a, "--read")
        self.assertIn("full", self.once(unit).stderr)
        self.assertEqual((["INBOX"], {a: "read", "1-1": "read"}), (box.where(a), self.messages(unit)))

    def test_what_happens_in_asterisk_happens_in_the_unit(self):
        unit, box = self.site("101"), self.server.box("101")
        heard, deleted, saved, back, kept = (box.record() for _ in range(5))
        self.once(unit)
        with box.session() as call:
            call.hear(heard)
            call.hear(back)
            call.delete(deleted)
            call.save(saved, "Cust1")
        self.once(unit)
        self.assertEqual(
            {heard: "read", deleted: "deleted", saved: "read in Cust1", back: "read", kept: "new"}, self.messages(unit)
        )
        with box.session("Old") as call:
            call.save(back, "INBOX")
            call.save(heard, "Deleted")
        self.once(unit)
        now = self.messages(unit)
        self.assertEqual(("deleted", "new"), (now[heard], now[back]))
        # Brought back on either side.
        self.phone(unit, "restore", heard)
        self.phone(unit, "restore", deleted)  # Asterisk has it no more: the unit alone has it
        self.once(unit)
        self.assertEqual([["Old"], []], [box.where(i) for i in (heard, deleted)])
        self.once(unit)
        self.assertEqual("new", self.messages(unit)[deleted])

    def test_both_sides_at_once(self):
        unit, box = self.site("101"), self.server.box("101")
        a, b, c, d = (box.record() for _ in range(4))
        self.once(unit)
        self.phone(unit, "delete", a)
        self.phone(unit, "mark", b, "--read")
        self.phone(unit, "mark", c, "--read")
        self.phone(unit, "move", d, "--folder", "Work")
        with box.session() as call:
            call.hear(a)
            call.delete(b)
            call.hear(c)
            call.save(d, "Friends")
        self.once(unit)
        self.assertEqual({a: "deleted", b: "deleted", c: "read", d: "new in Work"}, self.messages(unit))
        self.assertEqual([[], [], ["Old"], ["Work"]], [box.where(i) for i in (a, b, c, d)])
        self.assertIn("0 added, 0 changed in the unit, 0 removed from the spool, 0 moved", self.once(unit).stdout)

    def test_a_copy_that_asterisk_has_not_finished_with_is_left_to_it(self):
        unit, box = self.site("101"), self.server.box("101")
        a = box.record()
        self.once(unit)
        with box.session() as call:
            call.save(a, "Work")
            for _ in range(2):
                self.once(unit)
                self.assertEqual((["INBOX", "Work"], {a: "new"}), (box.where(a), self.messages(unit)))
        self.once(unit)
        self.assertEqual((["Work"], {a: "read in Work"}), (box.where(a), self.messages(unit)))

    def test_what_was_purged_leaves_the_spool(self):
        unit, box = self.site("101"), self.server.box("101")
        a = box.record()
        self.once(unit)
        self.phone(unit, "delete", a)
        unit.set("101", Deleted_Retention_Days="0")
        unit.once()
        self.assertEqual({}, self.messages(unit))
        for _ in range(2):
            self.once(unit)
            self.assertEqual(([], {}), (box.where(a), self.messages(unit)))

    def test_dry_run_touches_nothing(self):
        unit, box, other = self.site("101", "102"), self.server.box("101"), self.server.box("102")
        a, gone = box.record(), box.record(urgent=True)
        held = [other.record() for _ in range(3)]
        self.once(unit)
        self.phone(unit, "delete", a)
        new = [box.record() for _ in range(60)]
        for directory, call in ((box, box.session("Urgent")), (other, other.session())):
            with call:
                call.deleted = set(directory.numbers(call.folder))
        unit.config("misc", "set", "g_nMassDeletionLimit", "2")
        plan = unit.run("vmasterisk", "--dry-run", status=75).stdout
        self.assertIn("is removed from the spool", plan)
        self.assertIn("gone in the spool, Urgent in the unit: the unit follows", plan)
        self.assertIn("3 of 3 messages are gone", plan)
        for number in range(1, 61):
            self.assertEqual(1, plan.count(f"msg{number:04}: becomes a message of mailbox 101"))
        self.assertEqual({a: "deleted", gone: "new urgent"}, self.messages(unit))
        self.assertEqual(set(held), set(self.messages(unit, "102")))
        self.assertEqual([a, *new], list(box.ids("INBOX").values()))


class SafetyTest(AsteriskTestCase):
    def test_a_spool_that_is_not_there_is_no_deletion(self):
        unit, box = self.site("101"), self.server.box("101")
        a = box.record()
        self.once(unit)
        away = self.server.spool.with_name("away")
        for directory in (self.server.spool, self.server.spool / "default", box.directory, box.directory / "INBOX"):
            directory.rename(away)
            for _ in range(2):
                self.once(unit, status=None)
            self.assertEqual({a: "new"}, self.messages(unit), directory)
            away.rename(directory)
        # Unmounted: there is a directory, with nothing in it.
        self.server.spool.rename(away)
        self.server.spool.mkdir()
        self.once(unit)
        self.assertEqual({a: "new"}, self.messages(unit))

    def test_a_spool_that_asterisk_began_anew_is_no_deletion(self):
        unit, box = self.site("101"), self.server.box("101")
        a = box.record()
        self.once(unit)
        away = self.server.spool.with_name("away")
        self.server.spool.rename(away)
        bare = asterisk.Box(self.server, "101", "default")
        b = bare.record(sound="digits/2")
        self.assertIn("mounted", self.once(unit, status=75).stderr)
        self.assertEqual({a: "new", b: "new"}, self.messages(unit))
        shutil.rmtree(self.server.spool)
        away.rename(self.server.spool)
        self.assertIn("1 of 2", self.once(unit, status=75).stderr)
        self.assertEqual({a: "new", b: "new"}, self.messages(unit))

    def test_one_mailbox_that_cannot_be_used_keeps_no_other_waiting(self):
        unit, bad = self.site("101", "102"), self.server.box("101")
        (bad.directory / "INBOX").rmdir()
        (bad.directory / "INBOX").write_text("no folder")
        good = self.server.box("102")
        with self.running(unit):
            for _ in range(2):
                a = good.record()
                self.comes_to("new", lambda: self.messages(unit, "102").get(a), unit)
        self.assertIn("101@default", self.log(unit))

    def test_mass_deletion_waits_for_a_person(self):
        unit, box = self.site("101"), self.server.box("101")
        unit.config("misc", "set", "g_nMassDeletionLimit", "3")
        identities = [box.record() for _ in range(7)]
        self.once(unit)
        with box.session() as call:
            for identity in identities[:4]:
                call.delete(identity)
        done = self.once(unit, status=75)
        self.assertIn("4 of 7", done.stderr)
        self.assertEqual({"new"}, set(self.messages(unit).values()))
        self.once(unit, "--release", "101")
        self.assertEqual(["deleted"] * 4 + ["new"] * 3, [self.messages(unit)[i] for i in identities])

    def test_two_on_one_root_are_one_too_many(self):
        unit = self.site("101")
        with self.running(unit):
            wait_until("a start", lambda: "begins" in self.log(unit), SECONDS)
            self.assertIn("already runs", self.once(unit, status=69).stderr)



class LockTest(AsteriskTestCase):
    def test_anothers_lock_is_waited_for_and_never_broken(self):
        unit, box = self.site("101", "102"), self.server.box("101")
        other = self.server.box("102")
        a = box.record()
        self.once(unit)
        self.phone(unit, "delete", a)
        lock = contextlib.ExitStack()
        lock.enter_context(box.locked("INBOX"))
        self.addCleanup(lock.close)
        with self.running(unit):
            b = other.record()  # is not kept waiting
            self.comes_to({b: "new"}, lambda: self.messages(unit, "102"), unit)
            wait_until("a word about the lock", lambda: "lock" in self.log(unit), SECONDS)
            self.assertEqual([a], list(box.ids("INBOX").values()))
            lock.close()
            self.comes_to([], lambda: box.where(a), unit)
        self.assertEqual([], box.strays())

    def test_a_killed_one_keeps_nobody_out(self):
        unit, box = self.site("101"), self.server.box("101")
        a = box.record()
        (box.directory / "INBOX/.lock").write_text(f"vmasterisk {unit.root}\n")
        (box.directory / "INBOX/.lock-0badbeef").write_text("")  # Asterisk's
        self.once(unit)
        self.assertEqual({a: "new"}, self.messages(unit))
        self.assertEqual([".lock-0badbeef"], [f.name for f in (box.directory / "INBOX").glob(".lock*")])
        (box.directory / "INBOX/.lock").write_text("vmasterisk /another/root\n")
        self.once(unit, status=75)

    def test_what_was_left_locked_in_a_mailbox_that_is_nobodys_now(self):
        unit, box = self.site("101"), self.server.box("101")
        self.settings(unit, ["101@default = None"])
        (box.directory / "INBOX/.lock").write_text(f"vmasterisk {unit.root}\n")
        self.once(unit)
        self.assertEqual([], box.strays())

    def test_writers_on_all_sides(self):
        """Callers, subscribers in calls, and the unit's side at once: nothing is lost, doubled, or mixed up."""
        unit, box = self.site("101"), self.server.box("101")
        recorded, deleted, stop = [], set(), threading.Event()
        problems = []

        def work(step):
            try:
                while not stop.is_set():
                    step()
            except Exception as problem:  # a thread's would be lost
                problems.append(repr(problem))

        def record():
            recorded.append(box.record(sound=f"digits/{len(recorded) % 10}"))
            stop.wait(0.05)

        def call():
            with box.session() as session:
                present = list(box.ids("INBOX").values())
                if present:
                    session.hear(present[0])
                if len(present) > 2:
                    session.delete(present[1])
                    deleted.add(present[1])
                stop.wait(0.05)

        with self.running(unit):
            threads = [threading.Thread(target=work, args=(step,)) for step in (record, call)]
            for thread in threads:
                thread.start()
            try:
                for turn in range(25):
                    state = self.messages(unit)
                    present = [i for i, s in state.items() if s != "deleted"]
                    if len(present) > turn % 5:
                        chosen = present[turn % 5]
                        if turn % 2:
                            deleted.add(chosen)
                            self.phone(unit, "delete", chosen)
                        else:
                            with contextlib.suppress(vmunit.Failed):  # deleted meanwhile
                                self.phone(unit, "mark", chosen, "--read" if turn % 4 else "--new")
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
            self.assertEqual([], problems)

            def in_step():
                state = self.messages(unit)
                places = {i: box.where(i) for i in recorded}
                return (
                    set(state) == set(recorded)
                    and all((state[i] == "deleted") == (places[i] == []) for i in recorded)
                    and all(places[i] == (["INBOX"] if state[i] == "new" else ["Old"]) for i in recorded if places[i])
                )

            wait_until(
                lambda: f"both in step; {self.messages(unit)}; { {i: box.where(i) for i in recorded} }; {self.log(unit)[-3000:]}",
                in_step,
                60,
            )
        state = self.messages(unit)
        self.assertLessEqual({i for i in recorded if state[i] == "deleted"}, deleted)
        for n, identity in enumerate(recorded):  # each with its own sound
            exported = self.files / "sound"
            unit.ctl("message", "export", self.id_of(unit, identity), "--as", "media", "--output", exported)
            self.assertEqual(media.recording(f"digits/{n % 10}").read_bytes(), exported.read_bytes())
            exported.unlink()
            for folder in box.where(identity):
                number = box._number(folder, identity)
                there = box.directory / folder / f"msg{number:04}.wav"
                self.assertEqual(media.recording(f"digits/{n % 10}").read_bytes(), there.read_bytes())
        self.assertEqual([], box.strays())


class FlockTest(LockTest):
    lock_mode = "flock"

    # A lock of this kind goes with its holder.
    test_a_killed_one_keeps_nobody_out = None
    test_what_was_left_locked_in_a_mailbox_that_is_nobodys_now = None


class CrashTest(AsteriskTestCase):
    """Killed at each of its steps, and begun again."""

    def points(self, unit):
        log = self.files / "points"
        done = self.once(unit, environment={"VM_CRASH_LOG": str(log)})
        self.assertEqual(0, done.returncode, done.stderr)
        return log.read_text().splitlines()

    def prepare(self, server):
        unit, box = self.site("101", server=server), server.box("101")
        a, b, c, d = (box.record() for _ in range(4))
        self.once(unit)
        self.phone(unit, "delete", a)
        self.phone(unit, "mark", b, "--read")
        with box.session() as call:
            call.hear(c)
            call.delete(d)
        new = box.record()
        return unit, box, (a, b, c, d, new)

    def check(self, unit, box, identities):
        a, b, c, d, new = identities
        self.assertEqual({a: "deleted", b: "read", c: "read", d: "deleted", new: "new"}, self.messages(unit))
        self.assertEqual([[], ["Old"], ["Old"], [], ["INBOX"]], [box.where(i) for i in identities])
        self.assertEqual([], box.strays())
        for identity in (b, c, new):
            folder = box.where(identity)[0]
            self.assertEqual(
                ["txt", "wav"], sorted(f.name[8:] for f in box.files(folder, box._number(folder, identity)))
            )

    def test_each_step(self):
        self.server.formats = ("wav",)
        unit, box, identities = self.prepare(self.server)
        points = self.points(unit)
        self.check(unit, box, identities)
        self.assertLess(20, len(points))
        self.assertLessEqual(
            {"linked spool file", "removed spool file", "noted moves", "added from spool", "changed spool", "followed spool"},
            set(points),
        )
        kills = [(name, times) for name in sorted(set(points)) for times in range(min(points.count(name), 3))]

        def kill(name, times):
            server = asterisk.Server(self, self.lock_mode)
            unit, box, identities = self.prepare(server)
            count = unit.root / "count"
            count.write_bytes(b"x" * times)
            killed = self.once(unit, environment={"VM_CRASH_AT": name, "VM_CRASH_COUNT": str(count)})
            self.assertEqual(-9, killed.returncode, killed.stderr)
            self.once(unit)
            self.check(unit, box, identities)

        # (What takes time is the second look that a deletion waits for: many wait at once.)
        with concurrent.futures.ThreadPoolExecutor(len(kills)) as pool:
            for (name, times), done in [(k, pool.submit(kill, *k)) for k in kills]:
                with self.subTest(point=name, time=times):
                    done.result()


class FlockCrashTest(CrashTest):
    lock_mode = "flock"


class RunningTest(AsteriskTestCase):
    def test_mailboxes_and_folders_that_come_later(self):
        unit = self.site("101")
        with self.running(unit):
            wait_until("a start", lambda: "begins" in self.log(unit), SECONDS)
            box = self.server.box("101")
            a = box.record()
            self.comes_to({a: "new"}, lambda: self.messages(unit), unit)
            urgent = box.record(urgent=True)
            self.comes_to({a: "new", urgent: "new urgent"}, lambda: self.messages(unit), unit)
            other = self.server.box("102")
            b = other.record()
            unit.config("mailbox", "create", "102")
            self.comes_to({b: "new"}, lambda: self.messages(unit, "102"), unit)
            sales = self.server.box("9", "sales")
            c = sales.record()
            self.settings(unit, ["9@sales = 102"])
            self.comes_to({b: "new", c: "new"}, lambda: self.messages(unit, "102"), unit)

    def test_kill_9_at_any_time(self):
        unit, box = self.site("101"), self.server.box("101")
        recorded = []
        for turn in range(12):
            with self.running(unit) as process:
                recorded += [box.record(), box.record()]
                for identity, state in list(self.messages(unit).items())[:2]:
                    if state == "new":
                        self.phone(unit, "mark", identity, "--read")
                time.sleep(0.02 * turn)  # the moment is what is tried
                process.kill()
                process.wait()
        self.once(unit)
        state = self.messages(unit)
        self.assertEqual(set(recorded), set(state))
        self.assertNotIn("deleted", state.values())
        self.assertEqual([["INBOX"] if state[i] == "new" else ["Old"] for i in recorded], [box.where(i) for i in recorded])
        self.assertEqual([], box.strays())

    def manager(self, silent=False):
        return asterisk.Manager(self, "vmemail", SECRET, silent)

    def test_asterisk_is_told_to_count_anew(self):
        manager = self.manager()
        unit = self.site("101", AMI_Host="127.0.0.1", AMI_Port=manager.port, AMI_User="vmemail", AMI_Secret=SECRET)
        box = self.server.box("101")
        a = box.record()
        with self.running(unit):
            self.comes_to({a: "new"}, lambda: self.messages(unit), unit)
            self.assertEqual([], manager.refreshed)  # Asterisk knows what it did itself
            self.phone(unit, "mark", a, "--read")
            self.comes_to(["101@default"], lambda: manager.refreshed, unit)
        self.phone(unit, "delete", a)
        self.once(unit)
        self.assertEqual(["101@default"] * 2, manager.refreshed)
        self.assertIn("lets us in", unit.run("vmasterisk", "--check").stdout)

    def test_a_manager_that_refuses_or_hangs_delays_nothing(self):
        box = self.server.box("101")
        refusing = self.manager()
        for port, secret in ((refusing.port, "wrong"), (self.manager(silent=True).port, SECRET), (free_port(), SECRET)):
            unit = self.site("101", AMI_Host="127.0.0.1", AMI_Port=port, AMI_User="vmemail", AMI_Secret=secret)
            a = box.record()
            with self.running(unit):
                self.comes_to("new", lambda: self.messages(unit).get(a), unit)
                self.phone(unit, "delete", a)
                self.comes_to([], lambda: box.where(a), unit)
                b = box.record()
                self.comes_to("new", lambda: self.messages(unit).get(b), unit)
                wait_until("a word", lambda: "refresh message waiting" in self.log(unit), SECONDS)
            self.assertNotIn(SECRET, self.log(unit))
        self.assertIn(False, refusing.logins)

    def test_settings(self):
        unit = self.site("101")
        file = unit.root / "etc/asterisk.ini"
        for text, words in (
            ("[Asterisk]\nSpoool = /x\n", ["line 2", "Spool"]),
            ("[Asterisk]\nLock Mode = maybe\n", ["lockfile, flock"]),
            ("[Asterisk]\nAMI Host = localhost\n", ["AMI User"]),
            ("[Mailboxes]\n1/2@x = 1\n", ["1/2@x"]),
            ("[Mailboxes]\n1@x = abc\n", ["abc"]),
            ("[Mailbox]\n1@x = 1\n", ["[Mailbox]"]),
        ):
            file.write_text(text)
            done = self.once(unit, status=78)
            self.assertEqual(1, len(done.stderr.splitlines()), done.stderr)
            for word in words:
                self.assertIn(word, done.stderr)
        file.write_text(f"[Asterisk]\nAMI Host = localhost\nAMI User = a\nAMI Secret = {SECRET}\n")
        file.chmod(0o644)
        done = self.once(unit, status=77)
        self.assertIn("chmod 600", done.stderr)
        self.assertNotIn(SECRET, done.stderr)
        file.unlink()
        self.assertIn("--sample", self.once(unit, status=66).stderr)
        self.settings(unit, Spool="/nonexistent")
        self.once(unit, status=66)
        self.assertIn("/nonexistent", unit.run("vmasterisk", "--check", status=66).stderr)


if __name__ == "__main__":
    vmunit.main()
