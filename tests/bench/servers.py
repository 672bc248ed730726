"""The servers of the bench: mailrig's, as large as a fleet needs them, and smtp-sink."""

import shutil
import socket
import subprocess

import mailrig
from dovecot import Dovecot
from passwords import PASSWORD

# Logins and TLS by two processes that stay, so that they are not what is measured, and as many sessions as there
# are mailboxes.
FLEET = """\
default_client_limit = 8192
service imap-login {
  service_count = 0
  process_min_avail = 2
  client_limit = 4096
  vsz_limit = 1G
}
service pop3-login {
  service_count = 0
}
service imap {
  process_limit = 4096
}
"""


class DiscardingDovecot(Dovecot):
    """Its Postfix queues every mail, as durable as ever, and then throws it away. It offers no TLS, which we would
    take where the clients that we are compared with send in clear."""

    def postfix_settings(self):
        settings = {"virtual_transport": "discard:", "smtpd_tls_security_level": "none"}
        return {**super().postfix_settings(), **settings}


def rig(users, discarding=False):
    """A MailRig, to be entered, whose users each have a system user of their own."""
    server = (DiscardingDovecot if discarding else Dovecot)(extra=FLEET, own_uids=True)
    return mailrig.MailRig({user: PASSWORD for user in users}, server)


class Sink:
    """Postfix's smtp-sink: takes every mail and forgets it."""

    def __init__(self):
        program = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin:/sbin")
        if not program:
            raise mailrig.RigError("smtp-sink is not installed; run scripts/deps")
        self.port = mailrig.free_port()
        self._process = subprocess.Popen(
            [program, f"127.0.0.1:{self.port}", "200"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            user="nobody",
            group="nogroup",
            extra_groups=[],
            cwd="/",
            start_new_session=True,
            preexec_fn=mailrig.dies_with_parent,
        )

    def __enter__(self):
        try:
            mailrig.wait_until("smtp-sink", self._answers)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        self._process.terminate()
        self._process.wait()
