"""Dovecot as the rig's IMAP and POP3 server, with as much or as little of IMAP as a test wants.

A variant is a set of capabilities that it does without, and a namespace:

    Dovecot()                                    all it can do; "." between the levels, no prefix
    Dovecot(without={"QRESYNC", "CONDSTORE"})    not told, before the login nor after
    Dovecot(prefix="INBOX.")                     every other folder below INBOX, as Courier has it
    Dovecot(separator="/")                       the levels are directories on its disk, too
    Dovecot(extra="...")                         with more in its configuration
    Dovecot(own_uids=True)                       each user's mail belongs to a system user of its own: Linux
                                                 lets a user have 128 sessions in IDLE, and has more poll

What is not told can still be asked for: that shows a client that does so without having been told.
Without SPECIAL-USE the folders for trash, junk, drafts and sent mail are not there either.
"""

import os
import shutil
import time

MAIL_UID = 20000  # owns the mail; needs no entry in /etc/passwd
FIRST_OWN_UID = 30000  # with own_uids
# What Dovecot 2.3 has after the login, in its order.
CAPABILITIES = (
    "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY THREAD=REFERENCES THREAD=REFS "
    "THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL CATENATE UNSELECT CHILDREN NAMESPACE UIDPLUS "
    "LIST-EXTENDED I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES WITHIN CONTEXT=SEARCH "
    "LIST-STATUS BINARY MOVE SNIPPET=FUZZY PREVIEW=FUZZY PREVIEW STATUS=SIZE SAVEDATE LITERAL+ NOTIFY "
    "SPECIAL-USE"
).split()
PLAIN_HOST = "127.0.0.2"  # the same ports without TLS, not even offered
SPECIAL = ("Trash", "Junk", "Drafts", "Sent")

CONF = """\
base_dir = {run}
state_dir = {run}
instance_name = {name}
log_path = {log}
protocols = imap pop3 lmtp
listen = 127.0.0.1, {plain}
ssl = yes
ssl_cert = <{certificates}/good.pem
ssl_key = <{certificates}/good.key
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5
auth_username_format = %n
mail_location = maildir:~/Maildir{layout}
# With fcntl it dies when the kernel takes two processes that wait for each other for a deadlock.
lock_method = flock
mail_uid = {uid}
mail_gid = {uid}
first_valid_uid = 1000
mail_max_userip_connections = 100
passdb {{
  driver = passwd-file
  args = {users}
}}
userdb {{
  driver = passwd-file
  args = {users}
}}
namespace inbox {{
  inbox = yes
  prefix = {prefix}
  separator = {separator}
{special}}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
}}
service auth {{
  unix_listener auth-smtp {{
    mode = 0666
  }}
}}
protocol pop3 {{
  pop3_lock_session = yes
}}
protocol lmtp {{
  postmaster_address = postmaster@{domain}
}}
imap_capability = {capability}
local {plain} {{
  ssl = no
}}
{extra}"""


class Dovecot:
    """What MailRig starts; see the module."""

    name = "dovecot"
    programs = ("dovecot",)

    def __init__(self, without=(), prefix="", separator=".", special=True, extra="", own_uids=False):
        self._own_uids = own_uids
        self.vary(without, prefix, separator, special, extra)

    def vary(self, without=(), prefix="", separator=".", special=True, extra=""):
        """Another variant, from the next start on. The mail stays, but its folders are found by the
        same separator only."""
        self.without = {name.upper() for name in without}
        unknown = self.without - set(CAPABILITIES)
        if unknown:
            raise ValueError(f"Dovecot has no {' '.join(unknown)}")
        self.prefix, self.separator, self.extra = prefix, separator, extra
        self.special = special and "SPECIAL-USE" not in self.without

    def prepare(self, rig):
        """Before the first start: directories and the users."""
        self._top = rig.directory
        (self._top / "run").mkdir()
        (self._top / "mail").mkdir()
        os.chown(self._top / "mail", MAIL_UID, MAIL_UID)
        numbers = enumerate(rig.users, FIRST_OWN_UID)
        self._uids_of_users = {name: number if self._own_uids else MAIL_UID for number, name in numbers}
        users = self._top / "users"
        users.touch(0o640)
        shutil.chown(users, group="dovecot")
        lines = []
        for name, word in rig.users.items():
            home, uid = self._top / "mail" / name, self.uid(name)
            lines.append(f"{name}:{{PLAIN}}{word}:{uid}:{uid}::{home}::\n")
            if self._own_uids:  # none of them can make it
                home.mkdir(0o700)
                os.chown(home, uid, uid)
        users.write_text("".join(lines))

    def uid(self, user):
        """Whose the user's mail is."""
        return self._uids_of_users[user]

    def command(self, rig):
        """Writes the configuration of the variant; returns what is to be run in the foreground."""
        special = "".join(
            f"  mailbox {name} {{\n    auto = subscribe\n    special_use = \\{name}\n  }}\n" for name in SPECIAL
        )
        conf = self._top / "dovecot.conf"
        conf.write_text(
            CONF.format(
                run=self._top / "run",
                name=self._top.name,
                log=self._top / "dovecot.log",
                certificates=self._top / "tls",
                layout=":LAYOUT=fs" if self.separator == "/" else "",
                uid=MAIL_UID,
                users=self._top / "users",
                prefix=self.prefix,
                separator=self.separator,
                special=special if self.special else "",
                domain=rig.domain,
                plain=PLAIN_HOST,
                extra=self.extra,
                capability=" ".join(c for c in CAPABILITIES if c not in self.without) if self.without else "",
                **rig.ports,
            )
        )
        return ["dovecot", "-F", "-c", str(conf)]

    def postfix_settings(self):
        """What of Postfix's main.cf depends on who takes its mail and knows its users."""
        return {
            "virtual_transport": f"lmtp:unix:{self._top}/run/lmtp",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": f"{self._top}/run/auth-smtp",
        }

    # ---- the mail on its disk ---------------------------------------------------------------------
    def folder_path(self, user, folder="INBOX"):
        """The directory of a folder; its name as tests have it, "/" between the levels."""
        maildir = self._top / "mail" / user / "Maildir"
        if folder == "INBOX":
            return maildir
        # In ASCII both layouts name a folder as it is; what tests fill has such a name.
        return maildir / folder if self.separator == "/" else maildir / ("." + folder.replace("/", "."))

    def put(self, user, count, folder="INBOX", flags="", first=0):
        """Writes `count` mails of somebody else's into a folder, thousands a second; `flags` are
        Maildir's letters (S seen, F flagged, T deleted)."""
        self.write(
            user,
            (
                f"From: Somebody <somebody@elsewhere.example>\r\nTo: {user}@example.test\r\n"
                f"Subject: Foreign mail {number}\r\nMessage-ID: <foreign.{folder}.{number}@elsewhere.example>\r\n"
                f"Date: Mon, 06 Jan 2025 10:00:00 +0000\r\n\r\nNot a voice message; number {number}.\r\n"
                for number in range(first, first + count)
            ),
            folder,
            flags,
            first,
        )

    def write(self, user, mails, folder="INBOX", flags="", first=0):
        """Writes mails, texts with CRLF, into a folder; their files are numbered from `first` on."""
        path, uid = self.folder_path(user, folder), self.uid(user)
        if not path.exists() and folder != "INBOX":
            raise FileNotFoundError(path)
        for directory in (path.parents[1], path.parent, path, *(path / d for d in ("tmp", "new", "cur"))):
            if not directory.exists():
                directory.mkdir(0o700)
                os.chown(directory, uid, uid)
        now = int(time.time())
        for number, text in enumerate(mails, first):
            mail = text.encode()
            name = f"{now}.M{number}P{os.getpid()}.rig,S={len(mail)},W={len(mail)}:2,{flags}"
            file = os.open(path / "cur" / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(file, mail)
            os.fchown(file, uid, uid)
            os.close(file)

    # The next three only while it is stopped: it would notice, and holds on to what it knows.
    def forget_uids(self, user, folder="INBOX"):
        """The folder's mails stay and get another UIDVALIDITY and other UIDs."""
        validity = int(self._uids(user, folder)[0].split()[1][1:])
        # By itself it could give the same one again, when the clock has not moved on.
        self._write_uids(user, folder, [f"3 V{validity + 1000} N1000 G{os.urandom(16).hex()}"])

    def swap_uids(self, user, folder="INBOX"):
        """The mails get each other's UIDs, and the UIDVALIDITY stays: what no server may do."""
        header, *lines = self._uids(user, folder)
        uids, names = zip(*(line.split(" ", 1) for line in lines))
        self._write_uids(user, folder, [header, *map(" ".join, zip(uids, reversed(names)))])

    def empty(self, user):
        """No mail is left in the INBOX, and it is another one, as on a server that was set up anew."""
        self.forget_uids(user)
        for directory in ("cur", "new"):
            for file in (self.folder_path(user) / directory).iterdir():
                file.unlink()

    def _uids(self, user, folder):
        return (self.folder_path(user, folder) / "dovecot-uidlist").read_text().splitlines()

    def _write_uids(self, user, folder, lines):
        path = self.folder_path(user, folder)
        for file in (*path.glob("dovecot.index*"), *self.folder_path(user).glob("dovecot.list.index*")):
            file.unlink(missing_ok=True)
        (path / "dovecot-uidlist").write_text("".join(f"{line}\n" for line in lines))
        os.chown(path / "dovecot-uidlist", self.uid(user), self.uid(user))
