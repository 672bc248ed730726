"""A Postfix and an IMAP server of our own, for system tests, the demo and the bench.

Everything lies in one temporary directory: configuration, queue, mail, sockets, logs and a CA with
certificates. Nothing under /etc is read, only loopback is listened on, every port is a free one, and
both servers go when stop() is called or this process ends, however it ends. Needs root: both servers
change their user.

    with MailRig({"ann": "secret"}) as rig:
        ... push to rig.host, rig.ports["starttls"] as user ann, trusting rig.ca_file ...
        [mail] = rig.wait_for_mail("ann", 1)

The IMAP server is a Dovecot with all it can do; MailRig(users, Dovecot(without={"IDLE"})) takes a
variant of it and MailRig(users, Cyrus()) another make. It can be stopped and started alone.

Ports (all deliver to NAME@example.test of every user, by LMTP into the IMAP server):
    starttls     submission; AUTH is offered after STARTTLS only
    tls          submission, TLS from the first byte
    cleartext    submission without TLS; AUTH is offered all the same
    relay        no AUTH at all; takes mail for example.test from anybody
    starttls-badname, tls-badname    certificate of our CA for another host name
    tls-unknown                      right host name, certificate of a CA nobody trusts
    imap, imaps, pop3, pop3s
"""

import atexit
import contextlib
import ctypes
import email
import email.policy
import imaplib
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

from dovecot import Dovecot

DOMAIN = "example.test"
START_SECONDS = 30
STOP_SECONDS = 10
# Unix socket paths end at 107 bytes, and Dovecot adds up to 40 of its own.
LONGEST_DIRECTORY = 60
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class RigError(Exception):
    pass


def wait_until(what, condition, seconds=30.0):
    """Polls `condition` until it is true and returns its value; RigError names `what` otherwise:
    a text, or a function that tells how things stand when the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise RigError(f"no {what() if callable(what) else what} within {seconds:g} s")
        time.sleep(0.02)


def free_port(taken=()):
    """A port nobody listens on, from below the range that outgoing connections are given."""
    while True:
        port = random.SystemRandom().randrange(12000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in taken:
            return port


def dies_with_parent():
    """For subprocess preexec_fn: SIGTERM when the starting process is gone, even by kill -9."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def short_temporary_directory(prefix):
    directory = tempfile.mkdtemp(prefix=prefix)
    if len(directory) > LONGEST_DIRECTORY:
        os.rmdir(directory)
        directory = tempfile.mkdtemp(prefix=prefix, dir="/tmp")
    os.chmod(directory, 0o755)
    return pathlib.Path(directory)


class Certificates:
    """A CA and the certificates of the servers, made by the openssl program."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir()
        self._authority("ca", "vmemail test CA")
        self._authority("stranger", "a CA nobody trusts")
        self._server("good", "ca", "localhost", "DNS:localhost,IP:127.0.0.1")
        self._server("badname", "ca", "elsewhere.example", "DNS:elsewhere.example")
        self._server("unknown", "stranger", "localhost", "DNS:localhost,IP:127.0.0.1")

    def path(self, name):
        return self.directory / name

    def _openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], cwd=self.directory, capture_output=True, text=True)
        if done.returncode != 0:
            raise RigError(f"openssl {arguments[0]}: {done.stderr}")

    def _authority(self, name, subject):
        self._openssl(
            *"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30".split(),
            *("-subj", f"/CN={subject}", "-keyout", f"{name}.key", "-out", f"{name}.pem"),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )

    def _server(self, name, authority, subject, names):
        self._openssl(
            *"req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split(),
            *("-subj", f"/CN={subject}", "-keyout", f"{name}.key", "-out", f"{name}.csr"),
        )
        self.path(f"{name}.ext").write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n")
        self._openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem"),
            *("-CAkey", f"{authority}.key", "-CAcreateserial", "-days", "30"),
            *("-extfile", f"{name}.ext", "-out", f"{name}.pem"),
        )


MAIN_CF = """\
compatibility_level = 3.6
config_directory = {etc}
queue_directory = {queue}
data_directory = {data}
maillog_file = {log}
maillog_file_prefixes = {top}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = localhost
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = texthash:{etc}/mailboxes
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_sasl_auth_enable = yes
smtpd_sasl_security_options = noanonymous
smtpd_tls_cert_file = {certificates}/good.pem
smtpd_tls_key_file = {certificates}/good.key
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_session_cache_database =
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
transport_retry_time = 1s
message_size_limit = {size_limit}
mailbox_size_limit = 0
virtual_mailbox_limit = 0
{server}"""

MASTER_CF = """\
127.0.0.1:{starttls} inet n - n - - smtpd
127.0.0.1:{tls} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
127.0.0.1:{cleartext} inet n - n - - smtpd
  -o smtpd_tls_security_level=none -o smtpd_tls_auth_only=no
127.0.0.1:{relay} inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=no -o smtpd_recipient_restrictions=reject_unauth_destination
127.0.0.1:{starttls-badname} inet n - n - - smtpd
  -o smtpd_tls_cert_file={dir}/badname.pem -o smtpd_tls_key_file={dir}/badname.key
127.0.0.1:{tls-badname} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_tls_cert_file={dir}/badname.pem -o smtpd_tls_key_file={dir}/badname.key
127.0.0.1:{tls-unknown} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_tls_cert_file={dir}/unknown.pem -o smtpd_tls_key_file={dir}/unknown.key
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 1 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
proxymap  unix  - - n - - proxymap
lmtp      unix  - - n - - lmtp
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
anvil     unix  - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
"""

PORTS = (
    "starttls tls cleartext relay starttls-badname tls-badname tls-unknown imap imaps pop3 pop3s"
).split()


class MailRig:
    """See the module. `users` maps names to passwords."""

    host = "localhost"
    domain = DOMAIN

    def __init__(self, users, server=None, size_limit=104857600):
        if os.geteuid() != 0:
            raise RigError("mail servers change their user; run this as root")
        self.users = dict(users)
        self.server = server or Dovecot()
        self.directory = short_temporary_directory("vmrig.")
        self.ports = {}
        for name in PORTS:
            self.ports[name] = free_port(self.ports.values())
        self.ca_file = self.directory / "tls/ca.pem"
        self.stranger_ca_file = self.directory / "tls/stranger.pem"
        self.postfix_log = self.directory / "postfix.log"
        self._size_limit = size_limit
        self._processes = {}  # by name, in the order of their start
        self._watchdog = None

    # ---- life ---------------------------------------------------------------------------------
    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        atexit.register(self.stop)
        self._environment = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        for program in ("openssl", "postfix", *self.server.programs):
            if not shutil.which(program, path=self._environment["PATH"]):
                raise RigError(f"{program} is not installed; run scripts/deps")
        Certificates(self.directory / "tls")
        self.server.prepare(self)
        self._configure_postfix()
        self._start(self.server.name, self.server.command(self))
        # What `postfix start-fg` does, but with the master itself as our child.
        etc = str(self.directory / "postfix/etc")
        self.command_output("postfix", "-c", etc, "check")
        daemons = self.command_output("postconf", "-c", etc, "-h", "daemon_directory").strip()
        self._environment["MAIL_CONFIG"] = etc
        self._start("postfix", [f"{daemons}/master", "-s"])
        self._watch()
        for name in ("imap", "starttls"):
            self._wait_for_greeting(name)

    @contextlib.contextmanager
    def server_stopped(self):
        """Without the IMAP server, and so without delivery; it comes back as its variant is then."""
        self.drain()
        self._stop_group(self._processes.pop(self.server.name))
        try:
            yield
        finally:
            self._start(self.server.name, self.server.command(self))
            self._watch()
            self._wait_for_greeting("imap")

    def vary(self, **variant):
        """Starts Dovecot as another variant; see Dovecot.vary()."""
        with self.server_stopped():
            self.server.vary(**variant)

    def stop(self):
        atexit.unregister(self.stop)
        if self._watchdog:
            self._watchdog.kill()
            self._watchdog.communicate()
            self._watchdog = None
        for name, process in reversed(self._processes.items()):
            # Asked to end, Postfix waits a second; nothing of it is kept.
            self._stop_group(process, signal.SIGKILL if name == "postfix" else signal.SIGTERM)
        self._processes.clear()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _watch(self):
        """A shell that waits for our end of its pipe to close, which even kill -9 of this process
        does, and then ends the servers. (PR_SET_PDEATHSIG does not survive their changes of user.)"""
        script = 'read -r _; top=$1; shift; for group; do kill -s TERM -- "-$group"; done; rm -rf "$top"'
        if self._watchdog:
            self._watchdog.kill()
            self._watchdog.communicate()
        groups = [str(process.pid) for process in self._processes.values()]
        self._watchdog = subprocess.Popen(
            ["sh", "-c", script, "watchdog", str(self.directory), *groups],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @staticmethod
    def _stop_group(process, sign=signal.SIGTERM):
        """Ends a server with all its children; each was started as a process group of its own."""

        def gone():
            process.poll()
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                return True
            # Orphans that have ended may wait for seconds for somebody to take note.
            return not any(MailRig._lives_in(stat, process.pid) for stat in pathlib.Path("/proc").glob("[0-9]*/stat"))

        for sign in (sign, signal.SIGKILL):
            if not gone():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, sign)
            try:
                wait_until("end of a server", gone, STOP_SECONDS)
                break
            except RigError:
                continue
        process.wait()

    @staticmethod
    def _lives_in(stat, group):
        """Whether a process, by its file in /proc, belongs to the group and has not ended."""
        try:
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            return False
        return int(its_group) == group and state not in "ZX"

    def logs(self):
        """What the servers said, for a failing test's message."""
        said = []
        for log in sorted(self.directory.glob("*.log")):
            said.append(f"{log.name}:\n{log.read_text(errors='replace')[-3000:]}")
        return "\n".join(said)

    def command_output(self, *command, stdin=None):
        done = subprocess.run(command, capture_output=True, text=True, env=self._environment, input=stdin)
        if done.returncode != 0:
            raise RigError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def _start(self, name, command):
        with open(self.directory / f"{name}-start.log", "ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )

    def _wait_for_greeting(self, name):
        wait_until(lambda: f"greeting on port {name}; {self.logs()}", lambda: self._greets(name), START_SECONDS)

    def _greets(self, name):
        for process in self._processes.values():
            if process.poll() is not None:
                raise RigError(f"{process.args[0]} ended with {process.returncode}: {self.logs()}")
        try:
            with socket.create_connection(("127.0.0.1", self.ports[name]), 5) as connection:
                return connection.recv(10) != b""
        except OSError:
            return False

    # ---- configuration --------------------------------------------------------------------------
    def _configure_postfix(self):
        top = self.directory / "postfix"
        for name in ("etc", "queue", "data"):
            (top / name).mkdir(parents=True, exist_ok=True)
        shutil.chown(top / "data", "postfix")
        (top / "etc/main.cf").write_text(
            MAIN_CF.format(
                etc=top / "etc",
                queue=top / "queue",
                data=top / "data",
                top=self.directory,
                log=self.postfix_log,
                certificates=self.directory / "tls",
                domain=DOMAIN,
                size_limit=self._size_limit,
                server="".join(f"{key} = {value}\n" for key, value in self.server.postfix_settings().items()),
            )
        )
        (top / "etc/master.cf").write_text(MASTER_CF.format(dir=self.directory / "tls", **self.ports))
        (top / "etc/mailboxes").write_text("".join(f"{name}@{DOMAIN} x\n" for name in self.users))
        # Of a file that is new Postfix thinks that it is being written, and waits for two seconds.
        for name in ("main.cf", "mailboxes"):
            os.utime(top / "etc" / name, (0, 0))

    # ---- looking at it ----------------------------------------------------------------------------
    def address(self, user):
        return f"{user}@{DOMAIN}"

    def imap(self, user):
        """A logged-in imaplib connection over TLS, checked against our CA."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        connection = imaplib.IMAP4_SSL(self.host, self.ports["imaps"], ssl_context=context)
        connection.login(user, self.users[user])
        return connection

    def mails(self, user):
        """The raw mails in the user's INBOX, oldest first."""
        with self.imap(user) as connection:
            connection.select("INBOX", readonly=True)
            numbers = connection.search(None, "ALL")[1][0].split()
            return [connection.fetch(n, "(BODY.PEEK[])")[1][0][1] for n in numbers]

    def wait_for_mail(self, user, count, seconds=60):
        """Waits until `count` mails are in the INBOX and nothing more is under way; returns them
        parsed. More or fewer is a RigError: what must arrive exactly once is checked here."""
        wait_until(f"{count} mails for {user}", lambda: self._inbox_count(user) >= count, seconds)
        self.drain(seconds)
        mails = self.mails(user)
        if len(mails) != count:
            raise RigError(f"{len(mails)} mails for {user}, expected {count}")
        return [email.message_from_bytes(mail, policy=email.policy.default) for mail in mails]

    def drain(self, seconds=60):
        """Waits until the Postfix queue is empty."""
        queue = self.directory / "postfix/queue"
        folders = [queue / name for name in ("maildrop", "incoming", "active", "deferred")]

        def empty():
            return not any(files for folder in folders for _, _, files in os.walk(folder))

        wait_until(lambda: f"empty Postfix queue; {self.logs()}", empty, seconds)

    def smtp_connections(self):
        """How many connections Postfix has taken so far."""
        if not self.postfix_log.exists():
            return 0
        return self.postfix_log.read_text(errors="replace").count(": connect from ")

    def _inbox_count(self, user):
        with self.imap(user) as connection:
            return int(connection.select("INBOX", readonly=True)[1][0])
