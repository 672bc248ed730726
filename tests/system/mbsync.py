"""A subscriber whose mail program is a real one: mbsync (package isync), which keeps a Maildir on the
subscriber's disk and the account the same. What people do with the files there comes to the account as
mbsync does it: flags by STORE, deletions by \\Deleted and expunge, a move as APPEND and deletion.

    client = Mbsync(rig, "ann", directory)
    client.sync()
    client.set_flags(identity, "S")   Maildir's letters: S seen, F flagged, T deleted
    client.move(identity, "Archive")
    client.sync()
"""

import re
import subprocess

RC = """\
IMAPAccount account
Host {host}
Port {port}
User {user}
PassCmd "cat {directory}/password"
SSLType IMAPS
SystemCertificates no
CertificateFile {ca}

IMAPStore far
Account account

MaildirStore near
Path {directory}/mail/
Inbox {directory}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
"""


class MbsyncError(Exception):
    pass


class Mbsync:
    def __init__(self, rig, user, directory):
        self._directory = directory
        (directory / "mail").mkdir(parents=True)
        (directory / "password").write_text(rig.users[user])
        (directory / "rc").write_text(
            RC.format(host=rig.host, port=rig.ports["imaps"], user=user, directory=directory, ca=rig.ca_file)
        )

    def sync(self):
        try:
            done = subprocess.run(
                ["mbsync", "-q", "-c", str(self._directory / "rc"), "-a"],
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=60,
            )
        except FileNotFoundError:
            raise MbsyncError("mbsync is not installed; run scripts/deps") from None
        if done.returncode != 0:
            raise MbsyncError(done.stdout + done.stderr)

    def files(self):
        """The unit's messages on the subscriber's disk: id -> file."""
        found = {}
        for file in (self._directory / "mail").rglob("*/[cn][ue][rw]/*"):
            match = re.search(rb"(?im)^X-VM-Message-Id:\s*(\S+)", file.read_bytes())
            if match:
                found[match[1].decode()] = file
        return found

    def flags(self, identity):
        return set(self.files()[identity].name.partition(":2,")[2])

    def folder(self, identity):
        return str(self.files()[identity].parents[1].relative_to(self._directory / "mail"))

    def set_flags(self, identity, flags):
        file = self.files()[identity]
        file.rename(file.parents[1] / "cur" / f"{file.name.partition(':')[0]}:2,{''.join(sorted(flags))}")

    def remove(self, identity):
        self.files()[identity].unlink()

    def move(self, identity, folder):
        """As mail programs on a Maildir do: without the UID, which belongs to the old folder."""
        file = self.files()[identity]
        target = self._directory / "mail" / folder
        for name in ("cur", "new", "tmp"):
            (target / name).mkdir(parents=True, exist_ok=True)
        file.rename(target / "cur" / re.sub(r",U=\d+", "", file.name))
