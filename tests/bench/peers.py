"""The programs the bench compares with, each with a configuration of its own below one directory.

What a peer learned of an account stays there between two of its runs, as with us.
"""

import measure
import vmunit

SECONDS = 120  # for one run


class Mbsync:
    """isync's mbsync: every account, all that changes, both ways."""

    name = "mbsync"

    def __init__(self, directory, rig, users, host, port):
        """`directory` may be another's: then it has learned the same, and reaches the accounts otherwise."""
        (directory / "mbsync").mkdir(parents=True, exist_ok=True)
        self._users = list(users)
        self._configuration, self._hasty = (directory / f"mbsyncrc.{port}{what}" for what in ("", ".hasty"))
        channels = (
            "\n".join(
                f"IMAPAccount a-{user}\nHost {host}\nPort {port}\nUser {user}\nPass {rig.users[user]}\n"
                "SSLType None\nAuthMechs LOGIN\n\n"
                f"IMAPStore far-{user}\nAccount a-{user}\n\n"
                f"MaildirStore near-{user}\nInbox {directory}/mbsync/{user}\n\n"
                f"Channel {user}\nFar :far-{user}:\nNear :near-{user}:\nPatterns INBOX\nCreate Near\nExpunge Both\n"
                "Sync All\nSyncState *\n"
                for user in self._users
            )
        )
        for file, text in ((self._configuration, channels), (self._hasty, "FSync no\n\n" + channels)):
            file.touch(0o600)
            file.write_text(text)

    def settle(self):
        """Fetches what there is, and does not wait for the disk."""
        self._run(self._hasty)

    def run(self):
        return self._run(self._configuration)

    def _run(self, configuration):
        which = self._users[0] if len(self._users) == 1 else "-a"
        return measure.run(["mbsync", "-q", "-c", configuration, which], SECONDS)


class OfflineImap:
    name = "offlineimap"

    def __init__(self, directory, rig, user, host, port):
        (directory / "offlineimap").mkdir(parents=True, exist_ok=True)
        self._configuration = directory / f"offlineimaprc.{port}"
        self._configuration.touch(0o600)
        self._configuration.write_text(
            f"[general]\naccounts = a\nmetadata = {directory}/offlineimap/state\n"
            "[Account a]\nlocalrepository = near\nremoterepository = far\n"
            f"[Repository near]\ntype = Maildir\nlocalfolders = {directory}/offlineimap/mail\n"
            f"[Repository far]\ntype = IMAP\nremotehost = {host}\nremoteport = {port}\nremoteuser = {user}\n"
            f"remotepass = {rig.users[user]}\nssl = no\nstarttls = no\nauth_mechanisms = LOGIN\n"
            "folderfilter = lambda folder: folder == 'INBOX'\n"
        )

    def run(self):
        return measure.run(["offlineimap", "-o", "-u", "quiet", "-c", self._configuration], SECONDS)


class Fetchmail:
    """By POP3: it looks for new mail only, and knows of no flags or deletions."""

    name = "fetchmail (POP3)"

    def __init__(self, directory, rig, user, host, port):
        self._home = directory / f"fetchmail.{port}"
        self._home.mkdir(parents=True)
        self._configuration = self._home / "rc"
        self._configuration.touch(0o600)
        self._configuration.write_text(
            f"poll {host} service {port} protocol POP3 uidl\n"
            f'  user "{user}" password "{rig.users[user]}" keep no rewrite sslproto \'\'\n'
            f"  mda \"/bin/sh -c 'cat > {self._home}/last'\"\n"
        )

    def run(self):
        command = ["fetchmail", "-s", "-f", self._configuration, "--pidfile", self._home / "pid"]
        # It ends with 1 when there is no new mail.
        return measure.run(command, SECONDS, (0, 1), {"FETCHMAILHOME": str(self._home)})


def settle(*clients):
    """Each learns all there is, and has nothing left to learn."""
    for client in clients:
        getattr(client, "settle", client.run)()
        client.run()


def check_mails(directory, expected):
    """That so many mails lie in a peer's Maildirs: that it is in step, too."""
    count = sum(1 for file in directory.rglob("*") if file.is_file() and file.parent.name in ("cur", "new"))
    if count != expected:
        raise vmunit.Failed(f"{count} mails in {directory}, not {expected}")
