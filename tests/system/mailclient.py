"""The subscriber's own mail program, as far as a test needs one: a client of Python's imaplib, which
shares nothing with ours.

    with MailClient(rig, "ann") as mail:
        mail.add_flags("INBOX", identity, r"\\Seen")
        mail.move("INBOX", identity, "Family/Urgent")
        mail.find(identity)  ->  {"Family/Urgent": {"\\Seen"}}

Folders are named as the unit names them: "/" between the levels, UTF-8, without the account's prefix.
Mails are named by the unit's id (X-VM-Message-Id), foreign ones by UID.
"""

import base64
import collections
import imaplib
import re
import select
import ssl
import time

imaplib.Commands.setdefault("MOVE", ("SELECTED",))
Mail = collections.namedtuple("Mail", "uid flags id message_id")
LIST = re.compile(rb'\((?P<flags>[^)]*)\) (?:NIL|"(?:\\.|[^"])*") (?P<name>.*)', re.S)


class MailClientError(Exception):
    pass


def encode_name(name):
    """Modified UTF-7 (RFC 3501, 5.1.3)."""
    out = []
    for ascii_run, other in re.findall(r"([ -~]+)|([^ -~]+)", name):
        if ascii_run:
            out.append(ascii_run.replace("&", "&-"))
        else:
            coded = base64.b64encode(other.encode("utf-16-be")).decode().rstrip("=")
            out.append("&" + coded.replace("/", ",") + "-")
    return "".join(out)


def decode_name(coded):
    def decode(match):
        digits = match[1].replace(",", "/")
        return base64.b64decode(digits + "=" * (-len(digits) % 4)).decode("utf-16-be") if digits else "&"

    return re.sub(r"&([^-]*)-", decode, coded)


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class MailClient:
    def __init__(self, rig, user, password=None):
        self._prefix, self._separator = rig.server.prefix, rig.server.separator
        context = ssl.create_default_context(cafile=str(rig.ca_file))
        self.imap = imaplib.IMAP4_SSL(rig.host, rig.ports["imaps"], ssl_context=context)
        # imaplib asks before the login and never again; what counts is said after it.
        self.before_login = set(self.imap.capabilities)
        self._ok(self.imap.login(user, password or rig.users[user]))
        self.capabilities = set(self._ok(self.imap.capability())[0].decode().upper().split())
        self._selected = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.imap.logout()
        except (imaplib.IMAP4.error, OSError):
            pass  # its server was stopped

    @staticmethod
    def _ok(answer):
        status, data = answer
        if status != "OK":
            raise MailClientError(data)
        return data

    # ---- folders ------------------------------------------------------------------------------------
    def server_name(self, folder):
        """The folder's name as it is sent, quoted."""
        if folder.upper() == "INBOX":
            return "INBOX"
        return quote(encode_name(self._prefix + folder.replace("/", self._separator)))

    def folders(self):
        """All folders by name, each with its attributes in lower case; those that can be selected."""
        found = {}
        for line in self._ok(self.imap.list()):
            if isinstance(line, tuple):  # a name that came as a literal
                match = LIST.match(line[0].rsplit(b"{", 1)[0] + b"x")
                name = line[1]
            elif line is None:
                continue
            else:
                match = LIST.match(line)
                name = match["name"]
                if name.startswith(b'"'):
                    name = re.sub(rb"\\(.)", rb"\1", name[1:-1])
            flags = {flag.lower() for flag in match["flags"].decode().split()}
            if flags & {"\\noselect", "\\nonexistent"}:
                continue
            name = decode_name(name.decode())
            if name.upper() != "INBOX":
                name = name.removeprefix(self._prefix).replace(self._separator, "/")
            found["INBOX" if name.upper() == "INBOX" else name] = flags
        return found

    def create(self, folder):
        self._ok(self.imap.create(self.server_name(folder)))

    def rename(self, folder, new_name):
        self._leave()
        self._ok(self.imap.rename(self.server_name(folder), self.server_name(new_name)))

    def delete_folder(self, folder):
        """With all that is in it."""
        self._leave()
        self._ok(self.imap.delete(self.server_name(folder)))

    def subscribed(self):
        """The names of subscribed folders as the server has them."""
        return [line.decode() for line in self._ok(self.imap.lsub('""', "*")) if line]

    def select(self, folder):
        """Selects it anew, so that nothing is overlooked; returns how many mails it holds."""
        self._selected = folder
        return int(self._ok(self.imap.select(self.server_name(folder)))[0])

    def _leave(self):
        if self._selected is not None and self.imap.state == "SELECTED":
            self._ok(self.imap.unselect())
        self._selected = None

    def uidvalidity(self, folder):
        answer = self._ok(self.imap.status(self.server_name(folder), "(UIDVALIDITY)"))
        return int(re.search(rb"UIDVALIDITY (\d+)", b" ".join(p for p in answer if isinstance(p, bytes)))[1])

    # ---- mails ----------------------------------------------------------------------------------------
    def mails(self, folder="INBOX"):
        """Every mail of a folder, oldest first; `id` is None for a foreign one."""
        if not self.select(folder):
            return []
        fields = "(UID FLAGS BODY.PEEK[HEADER.FIELDS (X-VM-MESSAGE-ID MESSAGE-ID)])"
        answer = self._ok(self.imap.fetch("1:*", fields))
        found, mail = {}, b""
        for part in answer:
            if part is None:  # all were expunged between SELECT and FETCH
                continue
            # What is not about the header may stand before or after it.
            mail = part[0] + b"\n" + part[1] if isinstance(part, tuple) else mail + part
            if not isinstance(part, bytes):
                continue
            # Told unasked in between: flags that became other ones, perhaps without a UID.
            if b"BODY[" in mail:
                one = self._parse(mail)
                found[one.uid] = one
            mail = b""
        return list(found.values())

    @staticmethod
    def _parse(text):
        header = {
            name: match[1].decode() if match else None
            for name, match in (
                ("id", re.search(rb"(?im)^X-VM-Message-Id:\s*(\S+)", text)),
                ("message_id", re.search(rb"(?im)^Message-ID:\s*<([^>]*)>", text)),
            )
        }
        flags = set(re.search(rb"FLAGS \(([^)]*)\)", text)[1].decode().split()) - {"\\Recent"}
        return Mail(int(re.search(rb"\bUID (\d+)", text)[1]), flags, **header)

    def ids(self, folder="INBOX"):
        """The unit's mails of a folder: id -> flags. Two copies of one are an error; see mails()."""
        found = [mail for mail in self.mails(folder) if mail.id]
        if len({mail.id for mail in found}) != len(found):
            raise MailClientError(f"copies in {folder}: {found}")
        return {mail.id: mail.flags for mail in found}

    def find(self, identity):
        """Where in the whole account the message lies: folder -> flags."""
        found = {}
        for folder in self.folders():
            found.update({folder: mail.flags for mail in self.mails(folder) if mail.id == identity})
        return found

    def uid(self, folder, which):
        """The UID of the one mail with this id; a UID is given back as it is."""
        if isinstance(which, int):
            if self._selected != folder:
                self.select(folder)
            return which
        uids = [mail.uid for mail in self.mails(folder) if mail.id == which]
        if len(uids) != 1:
            raise MailClientError(f"{which} is {len(uids)} times in {folder}")
        return uids[0]

    def raw(self, folder, which):
        uid = self.uid(folder, which)
        return self._ok(self.imap.uid("FETCH", str(uid), "(BODY.PEEK[])"))[0][1]

    def add_flags(self, folder, which, *flags):
        self._store(folder, which, "+FLAGS.SILENT", flags)

    def clear_flags(self, folder, which, *flags):
        self._store(folder, which, "-FLAGS.SILENT", flags)

    def _store(self, folder, which, how, flags):
        uid = self.uid(folder, which)
        self._ok(self.imap.uid("STORE", str(uid), how, "(" + " ".join(flags) + ")"))

    def expunge(self, folder, *which):
        """Deletes these mails for good, and no others that carry \\Deleted if the server can do so."""
        uids = [self.uid(folder, one) for one in which]
        numbers = ",".join(map(str, uids))
        self._ok(self.imap.uid("STORE", numbers, "+FLAGS.SILENT", r"(\Deleted)"))
        if "UIDPLUS" in self.capabilities:
            self._ok(self.imap.uid("EXPUNGE", numbers))
        else:
            self._ok(self.imap.expunge())

    def copy(self, folder, which, to):
        uid = self.uid(folder, which)
        self._ok(self.imap.uid("COPY", str(uid), self.server_name(to)))

    def move(self, folder, which, to):
        uid = self.uid(folder, which)
        if "MOVE" in self.capabilities:
            self._ok(self.imap.uid("MOVE", str(uid), self.server_name(to)))
        else:
            self.copy(folder, which, to)
            self.expunge(folder, which)

    def append(self, folder, mail, *flags):
        """Puts a mail there; made up when it is only a subject."""
        if isinstance(mail, str):
            mail = (
                f"From: Somebody <somebody@elsewhere.example>\r\nSubject: {mail}\r\n"
                f"Message-ID: <{time.time_ns()}@elsewhere.example>\r\n\r\nNot a voice message.\r\n"
            ).encode()
        self._ok(self.imap.append(self.server_name(folder), "(" + " ".join(flags) + ")", None, mail))

    # ---- IDLE -------------------------------------------------------------------------------------
    def idle(self, folder, happens, seconds=30):
        """Waits by IDLE (RFC 2177), which imaplib has not, until the server tells of `happens`, a
        regular expression; returns what it said until then."""
        self.select(folder)
        tag = self.imap._new_tag()
        self.imap.send(tag + b" IDLE\r\n")
        said = []
        if not self.imap.readline().startswith(b"+"):
            raise MailClientError("IDLE refused")
        deadline = time.monotonic() + seconds
        try:
            while not re.search(happens, b"".join(said)):
                pending = self.imap.sock.pending()
                if not pending and not select.select([self.imap.sock], [], [], deadline - time.monotonic())[0]:
                    raise MailClientError(f"IDLE: no {happens!r} in {seconds} s; {said}")
                said.append(self.imap.readline())
        finally:
            self.imap.send(b"DONE\r\n")
            while not self.imap.readline().startswith(tag):
                pass
        return b"".join(said)
