"""Asterisk's voice mail on the disk, written as app_voicemail writes it (file storage): the same files in the
same order, under the same locks. Only what lies on the disk is Asterisk's; nothing of it runs.
"""

import contextlib
import fcntl
import itertools
import os
import pathlib
import random
import shutil
import socketserver
import tempfile
import threading
import time

import media

FOLDERS = ("INBOX", "Old", "Work", "Family", "Friends", "Cust1", "Cust2", "Cust3", "Cust4", "Cust5", "Deleted", "Urgent")
LOCK_SECONDS = 5


class LockTimeout(Exception):
    """ast_lock_path() gave up: who leaves a message then loses it."""


def msg_id_of(origin):
    """asterisk/UNIT/CONTEXT/MAILBOX/MSG_ID/RECORDING, as the unit has it."""
    return origin.split("/")[4]


class Server:
    """A server with a spool of its own; its mailboxes lie in context default unless said otherwise."""

    def __init__(self, test, lock_mode="lockfile", formats=("wav",)):
        self.spool = pathlib.Path(tempfile.mkdtemp(prefix="asterisk.")) / "voicemail"
        test.addCleanup(shutil.rmtree, self.spool.parent, ignore_errors=True)
        self.spool.mkdir()
        self.lock_mode, self.formats = lock_mode, formats
        self._counter = itertools.count()

    def box(self, number, context="default"):
        return Box(self, number, context)

    def msg_id(self):
        return f"{int(time.time())}-{next(self._counter):08x}"


class Box:
    def __init__(self, server, number, context):
        self.server, self.number, self.context = server, number, context
        self.directory = server.spool / context / number
        for folder in ("INBOX", "tmp"):
            (self.directory / folder).mkdir(parents=True, exist_ok=True)
        (self.directory / "unavail.wav").write_bytes(b"a greeting")
        self._random = random.Random()

    # ---- ast_lock_path(), ast_unlock_path() -----------------------------------------------------------
    @contextlib.contextmanager
    def locked(self, folder):
        directory = self.directory / folder
        directory.mkdir(exist_ok=True)  # create_dirpath()
        if self.server.lock_mode == "flock":
            with self._flocked(directory):
                yield directory
            return
        own = directory / f".lock-{self._random.getrandbits(32):08x}"
        os.close(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        start = time.time()
        try:
            while True:
                try:
                    os.link(own, directory / ".lock")
                    break
                except FileExistsError:
                    if time.time() - start >= LOCK_SECONDS:
                        raise LockTimeout(directory) from None
                    os.sched_yield()
        finally:
            own.unlink()
        try:
            yield directory
        finally:
            (directory / ".lock").unlink()

    @contextlib.contextmanager
    def _flocked(self, directory):
        start = time.time()
        fd = os.open(directory / "lock", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.time() - start >= LOCK_SECONDS:
                        raise LockTimeout(directory) from None
                    time.sleep(0.001)
            yield directory
            with contextlib.suppress(FileNotFoundError):
                (directory / "lock").unlink()
        finally:
            os.close(fd)

    # ---- what is there ----------------------------------------------------------------------------------
    def numbers(self, folder):
        return sorted(int(file.name[3:7]) for file in (self.directory / folder).glob("msg????.txt"))

    def files(self, folder, number):
        return sorted((self.directory / folder).glob(f"msg{number:04}*"))

    @staticmethod
    def read(file):
        values = {}
        for line in file.read_text().splitlines():
            if not line.startswith((";", "[")):
                key, _, value = line.partition("=")
                values[key] = value
        return values

    def ids(self, folder):
        """The msg_ids in a folder by number; retries what was renumbered meanwhile."""
        for _ in range(100):
            with contextlib.suppress(FileNotFoundError):
                directory = self.directory / folder
                return {n: self.read(directory / f"msg{n:04}.txt").get("msg_id") for n in self.numbers(folder)}
        raise AssertionError("the folder does not stay as it is")

    def where(self, msg_id):
        return [folder for folder in FOLDERS if msg_id in self.ids(folder).values()]

    def _number(self, folder, msg_id):
        return next(n for n, i in self.ids(folder).items() if i == msg_id)

    def strays(self):
        """Files of messages without an envelope, and locks."""
        found = []
        for folder in FOLDERS:
            for file in (self.directory / folder).glob("*"):
                envelope = file.with_name(file.name[:7] + ".txt")
                if file.name.startswith(".lock") or (file.name.startswith("msg") and not envelope.exists()):
                    found.append(str(file))
        return found + [str(file) for file in self.directory.glob(".vmasterisk-move*")]

    # ---- leave_voicemail() ------------------------------------------------------------------------------
    def record(self, caller='"Ann Lee" <4711>', urgent=False, sound="digits/1", msg_id=None, named=True, when=None):
        """A caller leaves a message; returns its msg_id, or its number when it has no name."""
        msg_id = msg_id or self.server.msg_id()
        folder = "Urgent" if urgent else "INBOX"
        fd, temporary = tempfile.mkstemp(prefix="", dir=self.directory / "tmp")
        temporary = pathlib.Path(temporary)
        when = int(when or time.time())
        with os.fdopen(fd, "w") as text:
            text.write(
                ";\n; Message Information file\n;\n[message]\n"
                f"origmailbox={self.number}\ncontext=from-trunk\nexten=s\nrdnis=unknown\npriority=1\n"
                f"callerchan=PJSIP/trunk-{next(self.server._counter):08x}\ncallerid={caller}\n"
                f"origdate={time.strftime('%a %b %d %r %Z %Y', time.gmtime(when))}\norigtime={when}\ncategory=\n"
            )
            if named:
                text.write(f"msg_id={msg_id}\n")
            for extension in self.server.formats:
                shutil.copyfile(media.recording(sound), f"{temporary}.{extension}")
            text.write(f"flag={'Urgent' if urgent else ''}\nduration=2\n")
        with self.locked(folder) as directory:
            number = self._last(directory) + 1
            for extension in self.server.formats:
                os.rename(f"{temporary}.{extension}", directory / f"msg{number:04}.{extension}")
            self.renamed = time.monotonic()
            os.rename(temporary, directory / f"msg{number:04}.txt")
        return msg_id if named else number

    @staticmethod
    def _last(directory):
        """last_message_index()"""
        return max((int(file.name[3:7]) for file in directory.glob("msg????.txt")), default=-1)

    def forward_to(self, other, folder, msg_id):
        """copy_message(): the copy for another recipient has the same msg_id, and is written in place."""
        with other.locked("INBOX") as target:
            self._copy(self.directory / folder, self._number(folder, msg_id), target, self._last(target) + 1)

    def comment(self, folder, msg_id, comment):
        """vm_forwardoptions(), forward_message(): a comment is recorded before the message itself, whose recording
        is kept beside it meanwhile. While this is open, forward_to() sends both."""
        return Comment(self, folder, self._number(folder, msg_id), comment)

    @staticmethod
    def _copy(source, number, target, to):
        """copy_plain_file(): the recording, then the envelope, neither under another name before."""
        for file in sorted(source.glob(f"msg{number:04}.*"), key=lambda f: f.suffix == ".txt"):
            with open(file, "rb") as read, open(target / f"msg{to:04}{file.name[7:]}", "wb") as write:
                write.write(read.read())

    # ---- VoiceMailMain: a call in which messages are heard, deleted and saved ---------------------------
    def session(self, folder="INBOX"):
        return Session(self, folder)


class Comment:
    def __init__(self, box, folder, number, comment):
        files = [file for file in box.files(folder, number) if file.name[7] == "."]
        self.kept = [(file, file.with_name(file.name[:7] + "-bak" + file.name[7:])) for file in files]
        for file, backup in self.kept:
            shutil.copyfile(file, backup)
        for file, _ in self.kept:
            if file.suffix != ".txt":
                shutil.copyfile(comment, file.with_suffix(".new"))
                file.with_suffix(".new").rename(file)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for file, backup in sorted(self.kept, key=lambda pair: pair[0].suffix == ".txt"):
            backup.rename(file)


class Session:
    """open_mailbox() to close_mailbox(): messages are meant by the number they had when it began."""

    def __init__(self, box, folder):
        self.box, self.folder = box, folder
        self.heard, self.deleted = set(), set()
        self._resequence()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def hear(self, msg_id):
        self.heard.add(self.box._number(self.folder, msg_id))

    def delete(self, msg_id):
        self.deleted.add(self.box._number(self.folder, msg_id))

    def save(self, msg_id, folder):
        """save_to_folder(): copied now, removed when the call ends."""
        self._save(self.box._number(self.folder, msg_id), folder)
        self.delete(msg_id)

    def _save(self, number, folder):
        with self.box.locked(folder) as target:
            self.box._copy(self.box.directory / self.folder, number, target, self.box._last(target) + 1)

    def _rename(self, directory, number, to):
        """rename_file(): the recordings first; what is there is overwritten."""
        for file in sorted(directory.glob(f"msg{number:04}*"), key=lambda f: f.suffix == ".txt"):
            os.rename(file, directory / f"msg{to:04}{file.name[7:]}")

    def _resequence(self):
        """resequence_mailbox(), which opening does when there are gaps."""
        numbers = self.box.numbers(self.folder)
        if numbers != list(range(len(numbers))):
            with self.box.locked(self.folder) as directory:
                for to, number in enumerate(self.box.numbers(self.folder)):
                    if to != number:
                        self._rename(directory, number, to)

    def close(self):
        """close_mailbox(): by numbers, up to a gap; what is between what stays and that gap goes."""
        with self.box.locked(self.folder) as directory:
            kept, number = 0, 0
            for number in range(self.box._last(directory) + 1):
                exists = (directory / f"msg{number:04}.txt").exists()
                if number in self.deleted:
                    continue
                if number in self.heard and self.folder in ("INBOX", "Urgent"):
                    if exists:
                        self._save(number, "Old")
                    continue
                if not exists:
                    number -= 1
                    break
                if kept != number:
                    self._rename(directory, number, kept)
                kept += 1
            for number in range(kept, number + 1):
                for file in self.box.files(self.folder, number):
                    file.unlink()


class Manager:
    """Asterisk's manager interface, as far as message waiting goes; listens until close(). `refreshed` are the
    mailboxes that were to be counted anew."""

    def __init__(self, test, user, secret, silent=False):
        self.refreshed, self.logins = [], []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError):
                    if silent:
                        self.rfile.read()
                    self.wfile.write(b"Asterisk Call Manager/7.0.3\r\n")
                    while action := self.action():
                        self.answer(action)

            def action(self):
                values = {}
                for line in self.rfile:
                    key, colon, value = line.decode().strip().partition(":")
                    if not colon:
                        break
                    values[key] = value.strip()
                return values

            def say(self, action, response, message):
                known = f"ActionID: {action['ActionID']}\r\n"
                # What happens elsewhere comes in between.
                event = "Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted\r\n\r\n"
                self.wfile.write(f"{event}Response: {response}\r\n{known}Message: {message}\r\n\r\n".encode())

            def answer(self, action):
                name = action["Action"]
                if name == "Login":
                    good = (action["Username"], action["Secret"]) == (user, secret)
                    outer.logins.append(good)
                    self.say(action, *(("Success", "Authentication accepted") if good else ("Error", "Authentication failed")))
                elif name == "VoicemailRefresh":
                    outer.refreshed.append(f"{action['Mailbox']}@{action['Context']}")
                    self.say(action, "Success", "Refresh sent")
                else:
                    self.say(action, "Goodbye", "Thanks for all the fish.")

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

        self._server = Listener(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        test.addCleanup(self.close)

    def close(self):
        self._server.shutdown()
        self._server.server_close()
