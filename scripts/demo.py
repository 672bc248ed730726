#!/usr/bin/env python3
"""The demo behind scripts/demo: real servers, real speech, a real fax, the real programs.

Starts a Postfix and a Dovecot of its own, sets up a unit with vmconfig, adds messages with vmctl as
firmware would, lets vmemaild deliver them, fetches them with Python's own IMAP client, compares them
with what was added and leaves them in a directory. Then shows that phone and mailbox stay the same:
what is read or deleted at one end is so at the other. Ends with 1 when anything is missing or differs.
"""

import argparse
import email
import email.message
import email.policy
import json
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/system"))

import mailclient  # noqa: E402
import mailrig  # noqa: E402
import media  # noqa: E402
import vmunit  # noqa: E402

WIDTH = 80
# In an output directory of ours; nothing is ever removed from a directory without it.
MARKER = ".vmemail-demo"
RESULT = re.compile(r"(ann|bob)-(voice|fax|email)\.[A-Za-z0-9]+")
MARKER_TEXT = "Made by vmemail's scripts/demo, which removes its earlier results from here.\n"


class OutputRefused(Exception):
    """The directory for the results is not one that the demo may write to."""


def prepare_output(directory):
    """Creates the directory, or clears an earlier demo's results out of its own one."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        found = {file.name for file in directory.iterdir()}
        if found and MARKER not in found:
            raise OutputRefused(
                f"{directory}: it has files that the demo did not make; name a directory that is empty "
                "or does not exist, with --output DIR"
            )
        if not found:
            (directory / MARKER).write_text(MARKER_TEXT, encoding="utf-8")
        for name in filter(RESULT.fullmatch, found):
            (directory / name).unlink()
    except OSError as problem:
        raise OutputRefused(f"{directory}: {problem.strerror}; name another one with --output DIR") from problem


class Steps:
    """Numbered steps: what is being done, then how long it took."""

    def __init__(self):
        self._number = 0

    def __call__(self, title):
        self._number += 1
        self._start = time.monotonic()
        print(f"\n{self._number}. {title}")
        return self

    def note(self, text):
        print(f"   {text}", flush=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.note(f"done in {time.monotonic() - self._start:.1f} s")


def size(count):
    return f"{count / 1000:.1f} kB" if count >= 1000 else f"{count} bytes"


def clock(seconds):
    return f"{seconds // 60}:{seconds % 60:02} min"


class Demo:
    def __init__(self, build, output, work):
        self.output, self.work = output, work
        self.steps = Steps()
        self.build = build
        self.expected = []  # (user, message id, kind, original file)
        self.missed = []
        self.servers = None

    def run(self, stay):
        users = {"ann": secrets.token_urlsafe(9), "bob": secrets.token_urlsafe(9)}
        print("vmemail demo: a voice message and a fax reach a real mailbox, and stay in step with the phone")
        with self.steps("Mail servers of our own: loopback, free ports, own CA"):
            rig = self.servers = mailrig.MailRig(users)
            rig.start()
            self.steps.note(f"Postfix  SMTP {rig.ports['starttls']} (STARTTLS), {rig.ports['tls']} (TLS)")
            self.steps.note(f"Dovecot  IMAP {rig.ports['imap']}, {rig.ports['imaps']} (TLS)")
        self.set_up(rig)
        self.take_messages()
        self.deliver(rig)
        self.fetch(rig)
        self.keep_in_step(rig)
        self.use_pop3(rig)
        self.read_out(rig)
        status = self.summary()
        if stay:
            self.stay(rig)
        return status

    def close(self):
        if self.servers:
            self.servers.stop()

    # ---- steps ------------------------------------------------------------------------------------
    def set_up(self, rig):
        with self.steps("A voice-mail unit with two mailboxes (vmconfig)") as step:
            self.unit = vmunit.Unit(build=self.build, root=self.work / "vm")
            for number, user, security, options in (
                ("101", "ann", "starttls", {"Time_Zone": "Europe/Berlin"}),
                ("102", "bob", "tls", {"Voice_Format": "mp3"}),
            ):
                account = {
                    "Imap4_Server": rig.host,
                    "Imap4_Port": rig.ports["imaps"],
                    "Imap4_SSL": "Yes",
                    "Imap4_Account": user,
                    "Imap4_Password": rig.users[user],
                }
                self.unit.mailbox(number, rig, user, security, **account, **options)
            step.note("vmconfig init")
            step.note("101  ann@example.test  STARTTLS, certificate checked")
            step.note("102  bob@example.test  TLS, certificate checked, voice as MP3")
            self.unit.run("vmemaild", "--check")
            step.note("vmemaild --check: the configuration is good")

    def take_messages(self):
        with self.steps("Calls come in: recordings and a fax (vmctl message add)") as step:
            self.add("ann", "101", "voice", media.recording("demo-instruct"), "+1 256 428 6000", "Allison Smith")
            fax = self.work / "manual.tif"
            self.print_fax(fax)
            self.add("ann", "101", "fax", fax, "+49 30 5550123", "Fax Töpfer & Söhne")
            self.add("bob", "102", "voice", media.recording("demo-congrats"), "0171 555123", "", "--urgent")
            for _, identity, kind, file in self.expected:
                shown = self.unit.message(identity)
                extent = clock(-(-shown["duration_ms"] // 1000)) if kind == "voice" else f"{shown['pages']} pages"
                step.note(f"{identity}  {kind:<5}  {extent:<8}  {file.name}")

    def print_fax(self, tiff):
        """A manual page of the project, printed and then scanned as a fax machine does."""
        page = next(p for p in ("vm-mailbox.ini.5", "vmemaild.8") if (ROOT / "man" / p).exists())
        document = self.work / "manual.ps"
        with open(document, "wb") as out:
            subprocess.run(["mandoc", "-T", "ps", "-O", "paper=a4", ROOT / "man" / page], stdout=out, check=True)
        media.print_fax(document, tiff)

    def add(self, user, number, kind, file, caller, name, *flags):
        arguments = ["--caller-number", caller, *(["--caller-name", name] if name else []), *flags]
        identity = self.unit.add(number, file, kind, *arguments)
        self.expected.append((user, identity, kind, file))

    def deliver(self, rig):
        with self.steps("The agent delivers them (vmemaild)") as step:
            with self.unit.agent() as agent:
                for _, identity, *_ in self.expected:
                    self.unit.wait_for_state(identity, "sent", "failed", "deferred", "uncertain")
            step.note(f"stopped by SIGTERM, exit status {agent.process.returncode}")
            for _, identity, *_ in self.expected:
                delivery = self.unit.delivery(identity)
                step.note(f"{identity}  {delivery['state']}")
                lines = textwrap.wrap(delivery["last_reply"], WIDTH - 7)
                step.note("    " + f"\n{'':7}".join(lines))
                if delivery["state"] != "sent":
                    self.missed.append(f"{identity} was not sent: {delivery['last_reply']}")
            rig.drain()

    def fetch(self, rig):
        with self.steps("What lies in the mailboxes (Python's imaplib over TLS)") as step:
            for user in rig.users:
                wanted = {identity: rest for owner, identity, *rest in self.expected if owner == user}
                mails = rig.mails(user)
                if len(mails) != len(wanted):
                    self.missed.append(f"{len(mails)} mails for {user} instead of {len(wanted)}")
                for raw in mails:
                    mail = email.message_from_bytes(raw, policy=email.policy.default)
                    identity = mail["X-VM-Message-Id"]
                    if identity not in wanted:
                        self.missed.append(f"a mail for {user} that nobody sent: {mail['Subject']}")
                        continue
                    self.show(step, user, identity, mail, raw, *wanted.pop(identity))
                self.missed += [f"{identity} did not arrive at {user}" for identity in wanted]

    def keep_in_step(self, rig):
        """What happens at one end is seen at the other; nobody asks for it, the agent is told by IDLE."""
        voice, fax = (identity for owner, identity, *_ in self.expected if owner == "ann")
        bobs = next(identity for owner, identity, *_ in self.expected if owner == "bob")
        with self.steps("Phone and mailbox stay in step (vmemaild over IMAP)") as step:
            with (
                self.unit.agent(),
                mailclient.MailClient(rig, "ann") as ann,
                mailclient.MailClient(rig, "bob") as bob,
            ):
                self.wait(
                    "the agent knows its mails in the mailboxes",
                    lambda: all(self.unit.message(identity)["link"] for _, identity, *_ in self.expected),
                )
                if self.missed:
                    return
                self.unit.ctl("message", "mark", voice, "--read")
                self.wait("heard on the phone      -> read in the mail program", lambda: r"\Seen" in ann.ids()[voice])
                ann.expunge("INBOX", voice)
                self.wait(
                    "deleted in the mail     -> gone on the phone",
                    lambda: self.unit.message(voice)["state"] == "deleted",
                )
                self.unit.ctl("message", "delete", fax)
                self.wait("deleted on the phone    -> gone from the mailbox", lambda: fax not in ann.ids())
                bob.add_flags("INBOX", bobs, r"\Seen")
                self.wait(
                    "read in the mail        -> heard on the phone",
                    lambda: self.unit.message(bobs)["state"] == "read",
                )
            step.note("The two deleted ones lie in the unit's Deleted folder until their retention ends.")

    def use_pop3(self, rig):
        """The other plugin: only deletions on the phone travel."""
        with self.steps("The same unit with a POP3 account (libsmtppop3.so)") as step:
            self.unit.use_plugin("libsmtppop3.so")
            step.note("vmconfig misc set g_szEmailDllPath .../libsmtppop3.so")
            self.unit.set(
                "101",
                Pop3_Server=rig.host,
                Pop3_Port=rig.ports["pop3s"],
                Pop3_SSL="Yes",
                Pop3_Account="ann",
                Pop3_Password=rig.users["ann"],
            )
            kept, deleted = (self.unit.add("101", media.recording(name)) for name in ("demo-instruct", "vm-intro"))
            with self.unit.agent(), mailclient.MailClient(rig, "ann") as ann:
                self.wait("two messages pushed and arrived", lambda: {kept, deleted} <= set(ann.ids()))
                self.unit.ctl("message", "delete", deleted)
                self.wait("deleted on the phone    -> gone from the maildrop", lambda: deleted not in ann.ids())
                ann.expunge("INBOX", kept)
                self.unit.ctl("sync", "101")
                if self.unit.message(kept)["state"] != "new":
                    self.missed.append("a POP3 account has changed the phone")
                step.note("deleted in the mail     -> still on the phone, as POP3 has it")
            self.unit.use_plugin("libsmtpimap4.so")

    def read_out(self, rig):
        """Somebody's mail, heard at the phone."""
        with self.steps("A friend's mail is read out at the phone (g_bUseTTS)") as step:
            letter = email.message.EmailMessage()
            letter["From"] = "Jörg Müller <joerg@elsewhere.example>"
            letter["Subject"] = "Grüße aus Zürich – lunch on Friday?"
            letter["Message-ID"] = "<demo@elsewhere.example>"
            letter.set_content("Shall we meet at noon? The table is booked.\n\n-- \nJörg")
            self.unit.config("misc", "set", "g_bUseTTS", "True")
            with self.unit.agent(), mailclient.MailClient(rig, "ann") as ann:
                ann.append("INBOX", letter.as_bytes(policy=email.policy.SMTP))
                found = []
                self.wait("it is a message of the mailbox", lambda: found.extend(self.emails("101")) or found)
                if not found:
                    return
                [message] = found
                step.note(f"{message['id']}  {message['kind']}  {message['caller_name']}: {message['subject']}")
                file = self.output / "ann-email.wav"
                self.unit.ctl("message", "export", message["id"], "--as", "media", "--output", file)
                _, _, rate, samples = media.wav(file)
                seconds = -(-len(samples) // rate)
                step.note(f"spoken by espeak-ng, {clock(seconds)}, loudest {media.level(samples):.0%} of full scale")
                step.note(f"-> {file}")
                if not 2 <= seconds <= 60 or media.level(samples) < 0.1:
                    self.missed.append(f"{file} is no speech of that mail")
                self.unit.ctl("message", "mark", message["id"], "--read")
                uid = message["link"]["uid"]
                self.wait(
                    "heard on the phone      -> read in the mail program",
                    lambda: any(m.uid == uid and r"\Seen" in m.flags for m in ann.mails()),
                )

    def emails(self, number):
        listed = json.loads(self.unit.ctl("message", "list", "--mailbox", number, "--json").stdout)
        return [m for m in listed["messages"] if m["kind"] == "email" and m["link"]]

    def wait(self, what, condition):
        """Notes that it came true, and how soon."""
        start = time.monotonic()
        try:
            mailrig.wait_until(what, condition, 60)
            self.steps.note(f"{what:<56} {time.monotonic() - start:.1f} s")
        except mailrig.RigError:
            self.missed.append(f"within a minute not: {what}")

    def show(self, step, user, identity, mail, raw, kind, original):
        print()
        for name in ("From", "To", "Subject", "Date"):
            lines = textwrap.wrap(str(mail[name]), WIDTH - 12)
            step.note(f"{name + ':':<9}" + f"\n{'':12}".join(lines))
        name = f"{user}-{kind}"
        (self.output / f"{name}.eml").write_bytes(raw)
        if [part for part in mail.walk() if part.defects]:
            self.missed.append(f"{identity}: the parser found defects")
        attachments = list(mail.iter_attachments())
        if len(attachments) != 1:
            self.missed.append(f"{identity}: {len(attachments)} attachments instead of one")
        for part in attachments:
            content = part.get_content()
            suffix = pathlib.Path(part.get_filename() or "attachment").suffix
            file = self.output / f"{name}{suffix}"
            file.write_bytes(content)
            step.note(f"{part.get_content_type()}  {size(len(content))}  {self.judge(identity, part, file, original)}")
            step.note(f"-> {file}")

    def judge(self, identity, part, file, original):
        """What the attachment holds, measured on the received bytes and compared with the original."""
        kind = part.get_content_type()
        if kind.endswith("wav"):
            if file.read_bytes() != original.read_bytes():
                self.missed.append(f"{identity}: the recording differs from what was added")
                return "DIFFERS from the recording"
            return f"{clock(media.seconds(file))}, identical to the recording"
        if kind == "audio/mpeg":
            told, recorded = int(part["Content-Duration"] or 0), media.seconds(original)
            if told != recorded or file.read_bytes()[0] != 0xFF:
                self.missed.append(f"{identity}: no MP3 of {recorded} s")
            return clock(told)
        pages = re.findall(r"^ +\d+ +\d+ image.* ccitt ", self.tool("pdfimages", "-list", file), re.M)
        sent = self.unit.message(identity)["pages"]
        if kind != "application/pdf" or len(pages) != sent:
            self.missed.append(f"{identity}: {kind} with {len(pages)} fax pages instead of {sent}")
        paper = re.search(r"^Page size: +([0-9.]+) x ([0-9.]+) pts", self.tool("pdfinfo", file), re.M)
        if not paper:
            self.missed.append(f"{identity}: a PDF without a page size")
            return "no page size"
        width, height = (float(points) / 72 * 25.4 for points in paper.groups())
        return f"{len(pages)} pages of G4, {width:.0f} x {height:.0f} mm"

    @staticmethod
    def tool(*command):
        return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False).stdout

    def summary(self):
        print()
        if self.missed:
            for text in self.missed:
                print(f"MISSED: {text}")
            print(self.unit.trace()[-3000:])
            return 1
        files = sorted(file for file in self.output.iterdir() if RESULT.fullmatch(file.name))
        print(f"{len(self.expected)} messages added, sent once each, and found in their mailboxes;")
        print("read and deleted at either end, they were so at the other.")
        print(f"Listen and read: {len(files)} files in {self.output}")
        return 0

    def stay(self, rig):
        print("\nThe servers and the agent are still up. In a mail client:")
        for user, password in rig.users.items():
            print(f"   account {user}, password {password}, address {user}@example.test")
        ports = rig.ports
        print(f"   IMAP {rig.host}: {ports['imap']} (or STARTTLS), {ports['imaps']} (TLS)")
        print(f"   SMTP {rig.host}: {ports['starttls']} (STARTTLS), {ports['tls']} (TLS)")
        print(f"   the authority of their certificates: {rig.ca_file}")
        print("What happens there shows on the phone, and the other way round:")
        print(f"   {' '.join(self.unit.command('vmctl', 'message', 'list'))}")
        print("Ctrl-C ends them.", flush=True)
        with self.unit.agent():
            try:
                while True:
                    time.sleep(3600)
            except KeyboardInterrupt:
                print()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", metavar="DIR")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "demo-out", metavar="DIR")
    parser.add_argument("--stay", action="store_true")
    parser.add_argument("--prepare-only", action="store_true", help="end when the output directory is ready")
    arguments = parser.parse_args()
    try:
        prepare_output(arguments.output.absolute())
    except OutputRefused as problem:
        sys.exit(f"demo: {problem}")
    if arguments.prepare_only:
        return
    # However it is ended, the servers end with it, and nothing is left.
    for end in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, signal.default_int_handler)
    work = pathlib.Path(tempfile.mkdtemp(prefix="vmdemo."))
    demo = Demo(arguments.build.absolute(), arguments.output.absolute(), work)
    try:
        sys.exit(demo.run(arguments.stay))
    except KeyboardInterrupt:
        sys.exit("demo: ended before its end")
    except (mailrig.RigError, mailclient.MailClientError, media.MediaError, vmunit.Failed) as problem:
        sys.exit(f"demo: {problem}")
    finally:
        demo.close()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
