"""An SMTP server that does as it is told: takes mail, refuses, stalls, or drops the connection."""

import re
import smtplib
import socketserver
import threading


class ScriptedSmtp:
    """Listens on a loopback port from construction to close().

    `script` maps a step to what happens there, once the command has come: "greeting", "EHLO", "MAIL",
    "RCPT", "DATA", "dot", "QUIT". A text is the reply, a function is given the command's line and
    returns it, STALL waits until close() or release(), DROP closes the connection. It may be changed at any time. What has happened is in `messages` (accepted
    ones, as bytes), `connections` and, for each step, reached(step).wait().
    """

    STALL = object()
    DROP = object()

    def __init__(self, script=None):
        self.script = dict(script or {})
        self.messages = []
        self.received = []  # also those that were refused or dropped at the dot
        self.connections = 0
        self._released = threading.Event()
        self._reached = {}
        self._held = {}
        self._lock = threading.Lock()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    outer._talk(self.rfile, self.wfile)
                except (ConnectionError, BrokenPipeError):
                    pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.release()
        self._server.shutdown()
        self._server.server_close()

    def release(self):
        """Lets every stalled step go on, by dropping its connection."""
        self._released.set()
        for event in self._held.values():
            event.set()

    def hold(self, step):
        """Makes the step wait until the returned event is set; then it answers by the script."""
        event = self._held[step] = threading.Event()
        return event

    def reached(self, step):
        """An event: some connection has come to this step."""
        with self._lock:
            return self._reached.setdefault(step, threading.Event())

    def _do(self, step, default, out, line=b""):
        """Answers a step; false: the connection ends here."""
        action = self.script.get(step, default)
        if callable(action):
            action = action(line.decode(errors="replace").strip())
        self.reached(step).set()
        if step in self._held:
            self._held[step].wait()
        if action is self.STALL:
            self._released.wait()
            return False
        if action is self.DROP:
            return False
        out.write(action.encode() + b"\r\n")
        return True

    def _talk(self, lines, out):
        with self._lock:
            self.connections += 1
        if not self._do("greeting", "220 scripted ESMTP", out):
            return
        defaults = {"EHLO": "250-scripted\r\n250-PIPELINING\r\n250 8BITMIME", "DATA": "354 go on"}
        while line := lines.readline():
            verb = line.split()[0].decode(errors="replace").upper() if line.split() else ""
            if verb == "QUIT":
                self._do("QUIT", "221 2.0.0 bye", out)
                return
            if not self._do(verb, defaults.get(verb, "250 2.0.0 ok"), out, line):
                return
            if verb == "DATA" and str(self.script.get("DATA", "354")).startswith("354"):
                if not self._take(lines, out):
                    return

    def _take(self, lines, out):
        message = b""
        while (line := lines.readline()) not in (b".\r\n", b""):
            message += line[1:] if line.startswith(b".") else line
        if not line:
            return False
        self.received.append(message)
        if not self._do("dot", "250 2.0.0 taken", out):
            return False
        if str(self.script.get("dot", "250")).startswith("250"):
            self.messages.append(message)
        return True


class DeliveringSmtp(ScriptedSmtp):
    """Takes mail as a real server would and hands it to the rig's Dovecot by LMTP before it answers, to
    the INBOX of `user`; what Dovecot refuses is refused in its words. `replies` gives the answers to final
    dots, DROP too; when there are no more of them every mail is taken. What begins with 2, and what is
    dropped, is delivered; `note` is told its id before the answer goes out."""

    def __init__(self, rig, user, note=lambda identity: None):
        self.replies = iter(())
        self._rig, self._user, self._note = rig, user, note
        super().__init__({"dot": self._answer})

    def _answer(self, _):
        reply = next(self.replies, "250 2.0.0 taken")
        if reply is not self.DROP and not reply.startswith("2"):
            return reply
        mail = self.received[-1]
        try:
            with smtplib.LMTP(str(self._rig.directory / "run/lmtp")) as lmtp:
                lmtp.sendmail("unit@example.test", self._rig.address(self._user), mail)
        except smtplib.SMTPRecipientsRefused as refused:
            [(code, words)] = refused.recipients.values()
            return f"{code} {words.decode()}".replace("\n", " ")
        except smtplib.SMTPDataError as refused:
            return f"{refused.smtp_code} {refused.smtp_error.decode()}".replace("\n", " ")
        self.messages.append(mail)
        self._note(re.search(rb"(?im)^X-VM-Message-Id: *(\S+)", mail)[1].decode())
        return reply
