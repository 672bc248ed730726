#!/usr/bin/env python3
"""Path traversal and injection, tried on every argument of every command and on every option of the
two INI files. The arguments are read from the commands' own help, the options from `vmconfig keys`:
a new one that this test has no good value for fails it. No real server is needed."""

import email
import email.policy
import json
import re
import subprocess

import media
import vmunit
from scriptedsmtp import ScriptedSmtp

STATUSES = {0, 64, 65, 66, 69, 75, 77, 78}
EVIL = "evil@example.test"
HOSTILE = [
    "",
    "..",
    "../../victim/x",
    "../101",
    "/dev/full",
    "-1",
    "--root",
    "101/../102",
    "101 102",
    "$(touch canary)",
    "`touch canary`",
    "';touch canary;#",
    "'; DROP TABLE messages; --",
    "%s%n%s%n",
    f"a\r\nRCPT TO:<{EVIL}>\r\nX-Injected: yes",
    f"a\nX-Injected: yes\n\n.\nMAIL FROM:<{EVIL}>",
    "a\x1b]0;b\x07\x1b[2J",
    b"\xff\xfe\xc0\xaf",
    "\u202egnp.exe",
    "A" * 70_000,
]
# What may stand for each argument, when another one of the command is the hostile one.
GOOD = {
    "NNN": "101",
    "ID": None,  # a message of its own
    "KEY": "TraceLevelOverride",
    "VALUE": "False",
    "0|1": "0",
    "FILE": "misc",
    "Key=Value": "Email Name=ann@example.test",
    "--mailbox": "101",
    "--kind": "voice",
    "--file": str(media.recording("vm-intro")),
    "--caller-number": "4711",
    "--caller-name": "Ann",
    "--origin": "pbx/1",
    "--timeout": "5",
    "--received": "2026-11-22T02:30:29+01:00",
    "--folder": "INBOX",
    "--as": "eml",
    "--output": "out",
    "--until": "2036-11-22T02:30:29+01:00",
    "--for": "2h",
    "--reason": "why",
    "--provider": "other",
    "--client-id": "unit",
    "--tenant": "example.com",
}
# One of a group that must be given.
CHOICE = {"message mark": ["--read"], "message urgent": ["--set"], "queue postpone": ["--for", "2h"]}
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


def help_of(command):
    return subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout


def section(text, title):
    """The entries of a part of a help text."""
    found = re.search(rf"^ *(?:\[Option Group: )?{title}:?\]?$\n((?: +.*\n)+)", text, re.MULTILINE)
    return re.findall(r"^ {2,4}(\S.*)$", found[1], re.MULTILINE) if found else []


def leaves(program, path=()):
    """Every command with its arguments: (words, [(name, required)])."""
    text = help_of([program, *path])
    commands = [entry.split()[0] for entry in section(text, "Subcommands")]
    if commands:
        for command in commands:
            yield from leaves(program, (*path, command))
        return
    arguments = [(entry.split()[0], "REQUIRED" in entry) for entry in section(text, "Positionals")]
    for entry in section(text, "Options"):
        option = re.match(r"(--\S+) (?!Excludes|Needs)(\S+)", entry)
        if option and option[2].isupper() or option and "|" in option[2]:
            arguments.append((option[1], "REQUIRED" in entry))
    yield path, arguments


class HostileValuesTest(vmunit.TestCase):
    def setUp(self):
        super().setUp()
        # As deep as the hostile paths go up: what they could reach is all ours.
        self.deep = self.files / "a/b/c/d"
        self.deep.mkdir(parents=True)
        self.victim = self.files / "victim"
        self.victim.mkdir()
        (self.victim / "x").write_text("as it was\n")
        root = self.files / "a/b/unit"
        root.mkdir()
        self.box = vmunit.Unit(root=root)
        self.box.config("mailbox", "create", "101")
        self.box.config("mailbox", "create", "102")
        self.server = ScriptedSmtp()
        self.addCleanup(self.server.close)
        self.asked = []
        for verb in ("EHLO", "MAIL", "RCPT"):
            reply = "250-scripted\r\n250 8BITMIME" if verb == "EHLO" else "250 2.0.0 ok"
            self.server.script[verb] = lambda line, reply=reply: self.asked.append(line) or reply
        self.good = {
            "Email Integration": "Yes",
            "Email Name": "ann@example.test",
            "Smtp Server": "127.0.0.1",
            "Smtp Port": self.server.port,
        }
        self.set(**self.good)

    def set(self, **options):
        self.box.config("mailbox", "set", "101", *(f"{key}={value}" for key, value in options.items()))

    def run_it(self, program, *arguments):
        """Runs a command in the deep directory; it must end by itself and say at most one clean line."""
        done = subprocess.run(
            [argument if isinstance(argument, bytes) else str(argument) for argument in
             [self.box.build / "bin" / program, "--root", self.box.root, *arguments]],
            cwd=self.deep,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=vmunit.COMMAND_SECONDS,
            check=False,
        )
        text = done.stderr.decode()  # UTF-8, whatever came in
        what = f"{program} {arguments}: status {done.returncode}: {text[:2000]}"
        self.assertIn(done.returncode, STATUSES, what)
        errors = [line for line in text.splitlines() if ": warning: " not in line]
        self.assertEqual(done.returncode != 0, bool(errors), what)
        if done.returncode not in (75, 78):  # of several mailboxes each has its line
            self.assertLessEqual(len(errors), 1, what)
        self.assertNotRegex(text, CONTROL, what)
        self.assertNotRegex(done.stdout.decode(), CONTROL, what)
        return done

    def check_untouched(self):
        self.assertEqual(["x"], [file.name for file in self.victim.iterdir()])
        self.assertEqual("as it was\n", (self.victim / "x").read_text())
        self.assertEqual([], list(self.files.rglob("canary")))
        outside = {path.name for path in self.files.iterdir()} | {path.name for path in (self.files / "a/b").iterdir()}
        self.assertEqual({"a", "victim", "c", "unit"}, outside)
        etc = {str(path.relative_to(self.box.root / "etc")) for path in (self.box.root / "etc").rglob("*.ini")}
        self.assertLessEqual(etc, {"misc.ini", "mailboxes/101.ini", "mailboxes/102.ini"})

    # ---- arguments ----------------------------------------------------------------------------------
    def try_command(self, program, path, arguments):
        words = " ".join(path)
        for hostile_name, _ in arguments:
            for hostile in HOSTILE:
                if hostile_name == "--output" and str(hostile).startswith(("/", "..")):
                    continue  # whoever runs the command may write there
                line = [*path]
                for name, required in arguments:
                    value = hostile if name == hostile_name else GOOD.get(name, "?")
                    self.assertNotEqual("?", value, f"{words}: no good value for {name}")
                    if value is None:
                        value = self.identity
                    if name != hostile_name and not required:
                        continue
                    # With = so that a value with a dash is one.
                    if not name.startswith("--"):
                        line.append(value)
                    elif isinstance(value, bytes):
                        line.append(name.encode() + b"=" + value)
                    else:
                        line.append(f"{name}={value}")
                self.run_it(program, *line, *CHOICE.get(words, []))

    def try_program(self, program):
        self.identity = self.box.add("101", GOOD["--file"])
        commands = list(leaves(str(self.box.build / "bin" / program)))
        self.assertGreater(sum(len(arguments) for _, arguments in commands), 0)
        for path, arguments in commands:
            if path == ("mailbox", "delete"):
                arguments = []  # 101 is needed; its number is checked as that of show is
            self.try_command(program, path, arguments)
        self.check_untouched()
        [first, *_] = self.messages()
        self.assertEqual(self.identity, first["id"])
        for message in self.messages():
            self.assertNotRegex(message["caller_name"] + message["caller_number"] + message["folder"], CONTROL)

    def messages(self):
        return json.loads(self.box.ctl("message", "list", "--mailbox", "101", "--all", "--json").stdout)["messages"]

    def test_every_argument_of_vmctl(self):
        self.try_program("vmctl")

    def test_every_argument_of_vmconfig(self):
        self.try_program("vmconfig")

    def test_every_argument_of_vmemaild(self):
        for hostile in HOSTILE:
            value = hostile if isinstance(hostile, bytes) else hostile.encode()
            done = self.run_it("vmemaild", "--once", b"--mailbox=" + value)
            self.assertNotEqual(0, done.returncode, value)
        self.check_untouched()

    # ---- options ------------------------------------------------------------------------------------
    def keys(self, file):
        text = self.box.config("keys", file).stdout
        keys = [line.split("\t")[0] for line in text.splitlines()]
        self.assertIn({"misc": "g_bUseTTS", "mailbox": "Smtp Server"}[file], keys, text)
        return keys

    def check_dialogues(self):
        """What the server was asked is what a push asks, of the one recipient there is."""
        self.assertLessEqual(
            set(self.server._reached), {"greeting", "EHLO", "MAIL", "RCPT", "DATA", "dot", "QUIT", "RSET"}
        )
        for line in self.asked:
            self.assertNotRegex(line, CONTROL)
            if line.startswith("RCPT"):
                self.assertNotIn(EVIL, line)
        for raw in self.server.received:
            mail = email.message_from_bytes(raw, policy=email.policy.default)
            self.assertNotIn("X-Injected", mail)
            people = [address.addr_spec for name in ("From", "To") for address in mail[name].addresses]
            self.assertEqual(2, len(people), people)
            self.assertNotIn(EVIL, people)

    def test_every_option_of_a_mailbox_by_command(self):
        for key in self.keys("mailbox"):
            for hostile in HOSTILE:
                value = hostile if isinstance(hostile, bytes) else hostile.encode()
                done = self.run_it("vmconfig", "mailbox", "set", "101", key.encode() + b"=" + value)
                if done.returncode == 0 and value:
                    self.run_it("vmconfig", "mailbox", "show", "101")
                    self.run_it("vmemaild", "--check")
                    self.box.config("mailbox", "set", "101", f"{key}={self.good.get(key, '')}", status=None)
        self.check_untouched()

    def test_every_option_of_misc_setup_by_command(self):
        for key in self.keys("misc"):
            before = self.box.config("misc", "get", key).stdout.rstrip("\n")
            for hostile in HOSTILE:
                done = self.run_it("vmconfig", "misc", "set", key, hostile)
                if done.returncode == 0:
                    self.run_it("vmconfig", "misc", "list")
                    self.run_it("vmemaild", "--check")
            self.box.config("misc", "set", key, before)
        self.check_untouched()

    def test_every_option_of_a_mailbox_by_hand(self):
        """Written into the file as no command of ours would."""
        file = self.box.root / "etc/mailboxes/101.ini"
        before = file.read_bytes()
        for key in self.keys("mailbox"):
            for hostile in HOSTILE:
                value = hostile if isinstance(hostile, bytes) else hostile.encode()
                lines = [
                    key.encode() + b" = " + value if line.lower().startswith(key.lower().encode() + b" =") else line
                    for line in before.split(b"\n")
                ]
                self.assertNotEqual(before, b"\n".join(lines), f"{key} is not in the file")
                file.write_bytes(b"\n".join(lines))
                self.run_it("vmconfig", "mailbox", "show", "101")
                self.run_it("vmemaild", "--check")
            file.write_bytes(before)
        self.check_untouched()

    def test_what_is_accepted_goes_into_no_dialogue_and_no_header(self):
        texts = [value for value in HOSTILE if isinstance(value, str)]
        for value in texts:
            self.run_it("vmctl", "message", "add", "--mailbox=101", "--kind=voice", f"--file={GOOD['--file']}",
                        f"--caller-name={value}", f"--caller-number={value}")
        for key in ("Email Name", "Domain Name", "Language", "Time Zone", "Smtp Account", "Smtp Password"):
            for value in texts:
                done = self.run_it("vmconfig", "mailbox", "set", "101", f"{key}={value}")
                if done.returncode == 0 and value:
                    self.box.add("101", GOOD["--file"])
                    self.run_it("vmemaild", "--once")
            self.box.config("mailbox", "set", "101", f"{key}={self.good.get(key, 'None')}")
        self.box.ctl("queue", "retry", status=None)
        self.box.once(status=None)
        self.assertGreaterEqual(len(self.server.received), len(texts))
        self.check_dialogues()
        self.check_untouched()


if __name__ == "__main__":
    vmunit.main()
