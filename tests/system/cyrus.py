"""Cyrus as the rig's second server: another code base, with IDLE by a daemon, its own idea of
special folders, and "/" between the levels.

Debian does not let it be installed beside Dovecot; scripts/deps unpacks its packages into a directory
of their own, from where it runs with a configuration of ours and as user `mail`. Ports: imap, imaps, pop3, pop3s.
Postfix delivers to it by LMTP and asks the same password file.
"""

import os
import pathlib
import shutil
import subprocess

PACKAGES = pathlib.Path("/usr/local/lib/vmemail-tests/cyrus")
USER = "mail"
REALM = "localhost"
SPECIAL = ("Trash", "Junk", "Drafts", "Sent")

IMAPD_CONF = """\
configdirectory: {top}/conf
cyrus_user: {user}
cyrus_group: {user}
defaultpartition: default
partition-default: {top}/spool
proc_path: {top}/conf/proc
mboxname_lockpath: {top}/conf/lock
idlesocket: {top}/sock/idle
lmtpsocket: {top}/sock/lmtp
notifysocket: {top}/sock/notify
servername: {realm}
syslog_prefix: cyrus
altnamespace: {altnamespace}
unixhierarchysep: {unixhierarchysep}
autocreate_quota: 0
autocreate_post: yes
autocreate_inbox_folders: {special}
autocreate_subscribe_folders: {special}
xlist-trash: Trash
xlist-junk: Junk
xlist-drafts: Drafts
xlist-sent: Sent
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {top}/sasldb
sasl_mech_list: PLAIN LOGIN CRAM-MD5
tls_server_cert: {certificates}/good.pem
tls_server_key: {top}/good.key
expunge_mode: immediate
delete_mode: immediate
"""

CYRUS_CONF = """\
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {conf} -r"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {conf}" listen="127.0.0.1:{imap}" prefork=0
  imaps cmd="{bin}/imapd -s -C {conf}" listen="127.0.0.1:{imaps}" prefork=0
  pop3 cmd="{bin}/pop3d -C {conf}" listen="127.0.0.1:{pop3}" prefork=0
  pop3s cmd="{bin}/pop3d -s -C {conf}" listen="127.0.0.1:{pop3s}" prefork=0
  lmtp cmd="{bin}/lmtpd -C {conf} -a" listen="{top}/sock/lmtp" prefork=0
}}
DAEMON {{
  idled cmd="{bin}/idled -C {conf}"
}}
EVENTS {{
}}
"""


class Cyrus:
    """What MailRig starts; see the module. `classic`: folders are INBOX.Name, as Cyrus had them for
    twenty years."""

    name = "cyrus"
    programs = ("db5.3_load", str(PACKAGES / "usr/lib/cyrus/bin/master"))

    def __init__(self, classic=False):
        self.prefix, self.separator = ("INBOX.", ".") if classic else ("", "/")

    def prepare(self, rig):
        self._top = rig.directory / "cyrus"
        for name in ("conf", "conf/socket", "spool", "sock"):
            (self._top / name).mkdir(parents=True)
        shutil.copy(rig.directory / "tls/good.key", self._top / "good.key")
        records = "".join(
            "".join(f"\\{byte:02x}" for byte in f"{name}\0{REALM}\0userPassword".encode())
            + "\n"
            + "".join(f"\\{byte:02x}" for byte in word.encode())
            + "\n"
            for name, word in rig.users.items()
        )
        rig.command_output("db5.3_load", "-T", "-t", "hash", str(self._top / "sasldb"), stdin=records)
        (self._top / "sasldb").chmod(0o644)  # Postfix reads it, too; test passwords
        # Where Debian's Postfix looks, whatever cyrus_sasl_config_path says.
        sasl = rig.directory / "postfix/etc/sasl"
        sasl.mkdir(parents=True)
        (sasl / "smtpd.conf").write_text(
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN CRAM-MD5\n"
            f"sasldb_path: {self._top}/sasldb\n"
        )
        for path in (self._top, *self._top.rglob("*")):
            shutil.chown(path, USER, USER)

    def command(self, rig):
        programs = PACKAGES / "usr/lib/cyrus/bin"
        conf = self._top / "imapd.conf"
        classic = self.prefix != ""
        conf.write_text(
            IMAPD_CONF.format(
                top=self._top,
                user=USER,
                realm=REALM,
                special=" | ".join(SPECIAL),
                certificates=rig.directory / "tls",
                altnamespace="no" if classic else "yes",
                unixhierarchysep="no" if classic else "yes",
            )
        )
        services = self._top / "cyrus.conf"
        services.write_text(CYRUS_CONF.format(bin=programs, conf=conf, top=self._top, **rig.ports))
        # Its libraries by env: the rig's other programs shall not see them.
        libraries = next((PACKAGES / "usr/lib").glob("*/libcyrus.so.0")).parent
        arguments = ["-C", str(conf), "-M", str(services), "-p", str(self._top / "conf/pid"), "-D"]
        return ["env", f"LD_LIBRARY_PATH={libraries}", str(programs / "master"), *arguments]

    def postfix_settings(self):
        return {
            "virtual_transport": f"lmtp:unix:{self._top}/sock/lmtp",
            # The first mails for an account would all make its INBOX, and all but one fail.
            "lmtp_destination_concurrency_limit": "1",
            "smtpd_sasl_type": "cyrus",
            "smtpd_sasl_path": "smtpd",
            "smtpd_sasl_local_domain": REALM,
        }
