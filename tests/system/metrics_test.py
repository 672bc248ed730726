#!/usr/bin/env python3
"""What the running agent counts: by HTTP over its socket, in its file and in vmctl top, with real servers."""

import concurrent.futures
import contextlib
import errno
import fcntl
import http.client
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios
import time
import unittest

import media
import prometheus
import vmunit
from mailrig import MailRig, dies_with_parent, free_port, wait_until
from passwords import PASSWORD
from prometheus import total

rig = None
users = None
RECORDING = "digits/1"
LEAVE = b"\x1b[?25h\x1b[?1049l"


def setUpModule():
    global rig, users
    rig = unittest.enterModuleContext(MailRig({f"user{n}": PASSWORD for n in range(40)}))
    users = iter(rig.users)


def in_the_foreground():
    """For subprocess preexec_fn: as a shell starts a program in its terminal."""
    dies_with_parent()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):  # ignored by what runs in the background
        signal.signal(number, signal.SIG_DFL)


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self):
        self.sock = stream(self._path)


def stream(path):
    """A socket connected to the agent's, however long its path is."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(path))  # (With a time limit it would not wait for its turn.)
    connection.settimeout(60)
    return connection


class MetricsTest(vmunit.TestCase):
    def started(self, count=2, misc=None, **options):
        """A unit with so many synchronised mailboxes from 101 on, and its agent."""
        unit = self.unit()
        for name, value in (misc or {}).items():
            unit.config("misc", "set", name, value)
        for number in range(101, 101 + count):
            self.mailbox(unit, str(number), **options)
        agent = unit.agent()
        self.addCleanup(agent.stop)
        agent.wait_for_workers()
        return unit, agent

    def mailbox(self, unit, number, **options):
        user = next(users)
        account = {
            "Imap4_Server": rig.host,
            "Imap4_Port": rig.ports["imaps"],
            "Imap4_SSL": "Yes",
            "Imap4_Account": user,
            "Imap4_Password": PASSWORD,
            "Email_Integration_Sync_Mode": "Inbox Only",
        }
        unit.mailbox(number, rig, user, **{**account, **options})
        return user

    def read(self, unit):
        connection = Connection(unit.root / "run/metrics.sock")
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        self.assertEqual(200, response.status)
        self.assertEqual("text/plain; version=0.0.4; charset=utf-8", response.headers["Content-Type"])
        text = response.read().decode()
        connection.close()
        return prometheus.parse(text)

    def wait_for(self, unit, name, value, **labels):
        """Waits until the metric has this value, and returns all."""
        return wait_until(
            lambda: f"{name}{labels} = {value}; {self.read(unit)}; {unit.trace()[-2000:]}",
            lambda: (lambda series: total(series, name, **labels) == value and series)(self.read(unit)),
        )

    def deliver(self, unit, number, count):
        """Messages that are sent and linked."""
        identities = [unit.add(number, media.recording(RECORDING)) for _ in range(count)]
        wait_until(
            lambda: f"links of {identities}; {unit.trace()[-3000:]}",
            lambda: all(unit.message(i)["link"] and unit.state(i) == "sent" for i in identities),
            60,
        )
        return identities

    # ---- the figures --------------------------------------------------------------------------------
    def test_figures_of_what_happened(self):
        file = self.files / "vmemail.prom"
        os.chmod(self.files, 0o777)
        unit, _ = self.started(misc={"g_szMetricsFile": file})
        identities = self.deliver(unit, "101", 3) + self.deliver(unit, "102", 2)
        smtp, imap = f"localhost:{rig.ports['starttls']}", f"localhost:{rig.ports['imaps']}"
        self.wait_for(unit, "vmemail_idle_connections", 2, server=imap)
        series = self.wait_for(unit, "vmemail_mailboxes", 2, state="ok")
        sent = "vmemail_deliveries_total"
        self.assertEqual(5, series[sent, ("outcome", "sent"), ("server", smtp)])
        self.assertEqual(5, total(series, sent), series)
        self.assertLessEqual(1, total(series, "vmemail_connections_total", server=smtp, protocol="smtp"))
        self.assertLessEqual(2, total(series, "vmemail_connections_total", server=imap, protocol="imap"))
        for server in (smtp, imap):
            self.assertEqual(0, series["vmemail_server_down_until_timestamp_seconds", ("server", server)])
            for name in ("round_trips", "received_bytes", "sent_bytes"):
                self.assertLess(0, total(series, f"vmemail_{name}_total", server=server))
        size = sum(unit.message(i)["size"] for i in identities)
        self.assertLess(size, total(series, "vmemail_sent_bytes_total", server=smtp))
        self.assertLessEqual(2, total(series, "vmemail_sync_passes_total", server=imap, result="complete"))
        # (What a look found before its sender knew that it was sent has no latency.)
        linked = total(series, "vmemail_link_latency_seconds_count")
        self.assertTrue(0 < linked <= 5, linked)
        self.assertLess(total(series, "vmemail_link_latency_seconds_sum"), 60 * linked)
        for state in ("queued", "sending", "deferred", "failed", "uncertain"):
            self.wait_for(unit, "vmemail_queue_deliveries", 0, state=state)
        self.assertTrue(0 <= time.time() - total(series, "vmemail_start_time_seconds") < 600)
        for name in ("worker_deaths_total", "quarantined_mailboxes", "metrics_dropped_total"):
            self.assertEqual(0, series[f"vmemail_{name}",])
        # vmctl says the same, and so does the file, in the end.
        printed = prometheus.parse(unit.ctl("metrics").stdout)
        self.assertEqual(5, printed[sent, ("outcome", "sent"), ("server", smtp)])
        wait_until("the file", file.exists)
        wait_until(
            lambda: f"the figures in the file; {file.read_text()}",
            lambda: total(prometheus.parse(file.read_text()), sent, outcome="sent") == 5,
        )
        self.assertEqual(0o644, file.stat().st_mode & 0o777)
        self.assertEqual([file.name], os.listdir(self.files))
        unit.config("misc", "set", "g_szMetricsFile", "")
        wait_until("the end of the file", lambda: not file.exists())

    def test_changes_and_holds(self):
        unit = self.unit()
        user = self.mailbox(unit, "101")
        unit.config("misc", "set", "g_nMassDeletionLimit", "1")
        with unit.agent() as agent:
            agent.wait_for_workers()
            first, *_ = self.deliver(unit, "101", 4)
            before = self.read(unit)
            unit.ctl("message", "mark", first, "--read")
            changes = "vmemail_sync_changes_total"
            self.wait_for(unit, changes, total(before, changes, side="account") + 1, side="account")
            with rig.imap(user) as mail:
                mail.select("INBOX")
                mail.store("1:4", "+FLAGS", r"(\Deleted)")
                mail.expunge()
            self.wait_for(unit, "vmemail_mailboxes", 1, state="hold")
            unit.ctl("release", "101")
            series = self.wait_for(unit, "vmemail_mailboxes", 1, state="ok")
            self.assertEqual(0, total(series, "vmemail_mailboxes", state="hold"))
            self.assertLessEqual(total(before, changes, side="phone") + 4, total(series, changes, side="phone"))
        self.assertFalse((unit.root / "run/metrics.sock").exists())

    def test_a_server_that_is_down(self):
        port = free_port()
        unit, _ = self.started(1, Smtp_Port=port)
        unit.add("101", media.recording(RECORDING))
        server = f"localhost:{port}"
        series = self.wait_for(unit, "vmemail_queue_deliveries", 1, server=server, state="deferred")
        self.assertEqual(1, total(series, "vmemail_deliveries_total", server=server, outcome="deferred"))
        series = self.wait_for(unit, "vmemail_mailboxes", 1, state="error")
        # It may just be tried again; the time is that of the last pause.
        self.assertTrue(0 < total(series, "vmemail_server_down_until_timestamp_seconds", server=server))
        age = total(series, "vmemail_queue_oldest_age_seconds")
        self.assertTrue(0 < age < 600, age)
        top = unit.ctl("top", "--once").stdout
        self.assertIn("1 deferred", top)
        self.assertRegex(top, rf"(?m)^{server} ")
        self.assertRegex(top, r"(?m)^101 +error +\S")

    def test_a_maildrop(self):
        unit = self.unit("libsmtppop3.so")
        user = next(users)
        account = {"Pop3_Port": rig.ports["pop3s"], "Pop3_SSL": "Yes", "Pop3_Account": user}
        unit.mailbox("101", rig, user, Pop3_Server=rig.host, Pop3_Password=PASSWORD, **account)
        with unit.agent() as agent:
            agent.wait_for_workers()
            identity = unit.add("101", media.recording(RECORDING))
            unit.wait_for_state(identity, "sent")
            rig.wait_for_mail(user, 1)
            unit.ctl("message", "delete", identity)
            wait_until("the deletion in the drop", lambda: not rig.mails(user))
            server = f"localhost:{rig.ports['pop3s']}"
            series = wait_until(
                "a look at the drop",
                lambda: (lambda s: total(s, "vmemail_round_trips_total", server=server, protocol="pop3") and s)(
                    self.read(unit)
                ),
            )
            self.assertLess(0, total(series, "vmemail_sync_passes_total", server=server, result="complete"))
            self.assertEqual(0, total(series, "vmemail_idle_connections"))

    # ---- across a death -----------------------------------------------------------------------------
    def test_a_killed_worker_takes_nothing_along(self):
        unit, agent = self.started()
        self.deliver(unit, "101", 2)
        self.deliver(unit, "102", 2)
        self.wait_for(unit, "vmemail_idle_connections", 2)
        self.wait_for(unit, "vmemail_mailboxes", 2, state="ok")
        self.wait_for(unit, "vmemail_sync_passes_running", 0)
        before = self.wait_for(unit, "vmemail_push_turns_running", 0)
        for worker in agent.workers():
            os.kill(worker, signal.SIGKILL)
        self.wait_for(unit, "vmemail_worker_deaths_total", 2)
        # What the dead had set is not counted beside what their successors set.
        self.wait_for(unit, "vmemail_idle_connections", 2)
        self.wait_for(unit, "vmemail_mailboxes", 2, state="ok")
        self.deliver(unit, "101", 1)
        after = self.read(unit)
        for key, value in before.items():
            if key[0].endswith(("_total", "_bucket", "_sum", "_count")):
                self.assertLessEqual(value, after.get(key, -1), key)
        self.assertEqual(5, total(after, "vmemail_deliveries_total", outcome="sent"))
        self.assertLessEqual(4, total(after, "vmemail_connections_total", protocol="imap"))

    def test_quarantine_and_crashes(self):
        os.environ["VM_CRASH_DIRECTORY"] = str(self.files)
        self.addCleanup(os.environ.pop, "VM_CRASH_DIRECTORY")
        armed, loading = self.files / "armed", self.files / "crash-load"
        armed.touch()
        unit = self.unit()
        plugin = unit.root / "plugin.so"
        shutil.copy(unit.build / "test/libcrash_on_purpose.so", plugin)
        unit.config("misc", "set", "g_szEmailDllPath", plugin)
        for number, name in (("101", "crash-push"), ("103", "good")):
            unit.config("mailbox", "create", number)
            unit.set(number, Email_Integration="Yes", Email_Name=f"{name}@example.com", Smtp_Server="a.example.com")
        with unit.agent() as agent:
            agent.wait_for_workers()
            bad = unit.add("101", media.recording(RECORDING))
            unit.wait_for_state(bad, "uncertain")
            self.wait_for(unit, "vmemail_quarantined_mailboxes", 1)
            # It is the share's yet, and so is its delivery; its server is not known.
            self.wait_for(unit, "vmemail_mailboxes", 1, state="error")
            series = self.wait_for(unit, "vmemail_queue_deliveries", 1, state="uncertain", server="")
            self.assertEqual(1, total(series, "vmemail_mailboxes", state="ok"), series)
            self.assertLessEqual(1, total(series, "vmemail_quarantines_total"))
            self.assertLessEqual(1, total(series, "vmemail_worker_deaths_total"))
            self.assertLessEqual(1, total(series, "vmemail_deliveries_total", outcome="uncertain"))
            self.assertEqual(0, total(series, "vmemail_plugin_crashes_total"))
            armed.unlink()
            unit.ctl("queue", "retry", bad)
            self.wait_for(unit, "vmemail_quarantined_mailboxes", 0)
            self.wait_for(unit, "vmemail_mailboxes", 2, state="ok")
        loading.touch()
        with unit.agent():
            wait_until("the socket", (unit.root / "run/metrics.sock").exists)
            wait_until(
                lambda: f"crash of the plugin; {unit.trace()[-2000:]}",
                lambda: total(self.read(unit), "vmemail_plugin_crashes_total") >= 1,
            )
            self.assertEqual(0, total(self.read(unit), "vmemail_quarantines_total"))

    # ---- clients that misbehave ---------------------------------------------------------------------
    def test_no_client_holds_up_the_agent(self):
        unit, agent = self.started(1)
        path = unit.root / "run/metrics.sock"
        with contextlib.ExitStack() as stack:

            def client(says):
                one = stack.enter_context(stream(path))
                one.setblocking(False)
                with contextlib.suppress(OSError):  # it takes no more of it
                    one.send(says)
                return one

            for _ in range(12):
                client(b"")
                client(b"GET /metrics HTTP/1.1\r\n")
                client(b"\x00\xff\n\n" * 1000)
                client(b"GET /" + b"x" * 150_000)
                client(b"GET /metrics HTTP/1.1\r\n\r\n")  # and never reads
            # The agent does what it is there for, and comes to those who ask properly.
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                asked = pool.submit(self.read, unit)
                self.deliver(unit, "101", 1)
                unit.ctl("sync", "101")
                self.assertIn(("vmemail_worker_deaths_total",), asked.result(60))
        self.assertIsNone(agent.process.poll())
        self.assertEqual(1, total(self.read(unit), "vmemail_deliveries_total", outcome="sent"))

    def test_without_an_agent(self):
        unit = self.unit()
        for command in ("metrics", "top"):
            done = unit.ctl(command, status=69)
            self.assertIn("no agent runs", done.stderr)
            self.assertEqual("", done.stdout)

    # ---- vmctl top ----------------------------------------------------------------------------------
    @contextlib.contextmanager
    def terminal(self, unit):
        """vmctl top in a terminal of 80x24: the process, its terminal's two ends, and what it draws on one."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        process = subprocess.Popen(
            unit.command("vmctl", "top"),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm"},
            start_new_session=True,
            preexec_fn=in_the_foreground,
        )
        try:
            yield process, master, slave
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            os.close(slave)
            os.close(master)

    def shows(self, master, what, seconds=30):
        """What comes out of the terminal until `what` is in it."""
        shown, deadline = b"", time.monotonic() + seconds
        while what not in shown:
            ready, _, _ = select.select([master], [], [], max(deadline - time.monotonic(), 0))
            self.assertTrue(ready, shown)
            try:
                shown += os.read(master, 65536)
            except OSError as gone:
                self.assertEqual(errno.EIO, gone.errno)
                self.fail(f"{what} is not in {shown}")
        return shown

    def test_top_gives_the_terminal_back(self):
        unit, _ = self.started(1)
        self.deliver(unit, "101", 1)
        ends = [(lambda p, m: os.write(m, b"q"), 0), (lambda p, m: os.write(m, b"\x03"), -signal.SIGINT)]
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            ends.append((lambda p, m, n=number: p.send_signal(n), -number))
        for end, status in ends:
            with self.terminal(unit) as (process, master, slave):
                before = termios.tcgetattr(slave)
                self.shows(master, b"\x1b[?1049h")
                picture = self.shows(master, b"\x1b[J")
                self.assertIn(b"SERVER", picture)
                self.assertNotEqual(before, termios.tcgetattr(slave))
                rows = re.findall(rb"\x1b\[(\d+);1H\x1b\[2K([^\x1b]*)", picture)
                self.assertEqual([*range(1, len(rows) + 1)], [int(row) for row, _ in rows])
                self.assertLessEqual(len(rows), 24)
                self.assertLessEqual(max(len(text) for _, text in rows), 80)
                self.shows(master, b"\x1b[J")  # it is renewed
                end(process, master)
                self.shows(master, LEAVE)
                self.assertEqual(status, process.wait(30))
                self.assertEqual(before, termios.tcgetattr(slave))

    def test_top_says_that_the_agent_has_ended(self):
        unit, agent = self.started(1)
        with self.terminal(unit) as (process, master, _):
            self.shows(master, b"SERVER")
            self.assertEqual(0, agent.stop())
            self.shows(master, b"no agent runs")
            with unit.agent() as other:
                other.wait_for_workers()
                self.shows(master, b"SERVER")
                os.write(master, b"q")
                self.assertEqual(0, process.wait(30))

    def test_top_is_one_picture_where_there_is_no_terminal(self):
        unit, _ = self.started(1)
        self.wait_for(unit, "vmemail_mailboxes", 1, state="ok")
        shown = unit.ctl("top").stdout
        self.assertNotIn("\x1b", shown)
        self.assertIn("1 ok, 0 hold", shown)
        self.assertIn("No mailbox is in trouble.", shown)


if __name__ == "__main__":
    vmunit.main()
