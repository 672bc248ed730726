#!/usr/bin/env python3
"""The full-screen forms of vmconfig, driven in a terminal: `misc edit` and `mailbox edit`."""

import fcntl
import json
import re
import signal
import xml.dom.minidom

import vmunit
from passwords import PASSWORD
from terminal import (
    BACKSPACE,
    CTRL_C,
    CTRL_L,
    CTRL_U,
    CTRL_Z,
    DOWN,
    END,
    ENTER,
    ESCAPE,
    F12,
    HOME,
    TAB,
    Terminal,
)

COMMENTS = "; of ann\n[g_szEmailDllPath]\n; why\nValue = {plugin} ; mine\n\n[g_nCustom]\nValue = 7\n[Other]\nx = 1\n"
MISC_OPTIONS, MAILBOX_OPTIONS = "Misc Setup", "Mailbox Options [101]"


class EditTest(vmunit.TestCase):
    def setUp(self):
        super().setUp()
        self.vm = self.unit()
        self.vm.config("mailbox", "create", "101")
        self.misc_file = self.vm.root / "etc/misc.ini"
        self.mailbox_file = self.vm.root / "etc/mailboxes/101.ini"

    # ---- what a person does -------------------------------------------------------------------------
    def edit(self, *what, **options):
        """The form in a terminal, drawn."""
        terminal = Terminal(self.vm.command("vmconfig", *what), **options)
        self.addCleanup(terminal.__exit__)
        terminal.wait_for(MISC_OPTIONS if "mailbox" not in what else MAILBOX_OPTIONS)
        terminal.wait_for("<Discard>")
        return terminal

    def edit_mailbox(self, **options):
        return self.edit("mailbox", "edit", "101", **options)

    def names(self, which):
        return [line.split("\t")[0] for line in self.vm.config("keys", which).stdout.splitlines()]

    def go_to(self, terminal, row, help_text):
        """Down to a row, by its number from the top; what the help line then says."""
        terminal.type(HOME, *[DOWN] * row)
        terminal.wait_for(help_text)

    def open(self, terminal, row, help_text, title):
        self.go_to(terminal, row, help_text)
        terminal.type(ENTER)
        terminal.wait_for(f"[{title}]")
        terminal.wait_for("<Cancel>")

    def open_plugin(self, terminal):
        self.open(terminal, self.names("misc").index("g_szEmailDllPath"), "The transport plugin", "g_szEmailDllPath")

    def close(self, terminal):
        terminal.wait_for_no("<Cancel>")

    def apply(self, terminal):
        terminal.type(TAB, ENTER)

    def enter_trace_size(self, terminal, value):
        """The first option of the table, MaxTraceFileSize."""
        terminal.type(HOME, ENTER)
        terminal.wait_for("<Cancel>")
        terminal.type(CTRL_U, value, ENTER)

    def changed(self, terminal, value="5000"):
        self.enter_trace_size(terminal, value)
        terminal.wait_for(re.compile(rf"\* MaxTraceFileSize +{value} "))
        self.close(terminal)

    def wait_for_refusal(self, form, words):
        """Until these words are in the box that says why nothing was written, wherever its lines end."""
        form.wait_until(f"a box with {words!r}", lambda: words in self.box(form.text().split("\n"), "Nothing was written"))

    @staticmethod
    def box(lines, title):
        """The text in the window of this title; "" before all of it is drawn."""
        top = next((i for i, line in enumerate(lines) if f"{title} ├" in line), None)
        if top is None:
            return ""
        left, right = lines[top].rindex("┌"), lines[top].rindex("┐")
        inside = []
        for line in lines[top + 1 :]:
            if line[left : left + 1] == "└":
                return " ".join(" ".join(inside).split())
            inside.append(line[left + 1 : right])
        return ""

    def value(self, option):
        return self.vm.config("misc", "get", option).stdout.strip()

    def assert_ended(self, terminal, status=0):
        self.assertEqual(status, terminal.wait_for_end(), terminal.text())
        self.assertTrue(terminal.settings_are_back())

    # ---- Misc Setup ---------------------------------------------------------------------------------
    def test_switching_to_pop3_changes_the_mailbox_form(self):
        """N3.15 and N3.16, key by key."""
        with self.edit_mailbox() as form:
            self.assertIn("Email Integration Sync Mode", form.text())
            form.type(ESCAPE)
            self.assert_ended(form)
        imap4 = self.value("g_szEmailDllPath")
        self.misc_file.write_text(COMMENTS.format(plugin=imap4) + "[g_szEmailDllPath]\nIgnore = 1\n")
        with self.edit("misc", "edit") as form:
            self.open_plugin(form)
            form.wait_for("vmconfig [g_szEmailDllPath]")
            self.assertIn("[1]", form.line_with("Ignore  ["))
            # In the field: back over "imap4.so".
            form.type(END, *[BACKSPACE] * len("imap4.so"), "pop3.so", TAB, " ")
            form.wait_for("[0] 1: the default holds")
            form.type(TAB, ENTER)
            form.wait_for_no("vmconfig [g_szEmailDllPath]")
            form.wait_for(re.compile(r"\* g_szEmailDllPath +\S*/lib/libsmtppop3\.so +0 "))
            self.assertIn("imap4", self.misc_file.read_text())  # nothing before it is applied
            self.apply(form)
            self.assert_ended(form)
            self.assertIn("libsmtppop3.so", form.text())
            self.assertNotIn("warning", form.text())
        pop3 = imap4.replace("imap4", "pop3")
        self.assertEqual(
            COMMENTS.format(plugin=pop3) + "[g_szEmailDllPath]\nIgnore = 0\n", self.misc_file.read_text()
        )
        with self.edit_mailbox() as form:
            self.assertNotIn("Sync Mode", form.text())
            form.wait_for("Pop3 Server")
            form.type(END)
            form.wait_for(self.names("mailbox")[-1])
            self.assertFalse(any("Imap4" in frame for frame in form.frames))

    def test_the_table_has_every_option(self):
        self.misc_file.write_text("[g_nCustom]\nValue = 7\nIgnore = 1\n")
        for command in (("misc", "edit"), ("edit",)):
            with self.edit(*command) as form:
                for _ in self.names("misc"):
                    form.type(DOWN)
                form.wait_for("An option that only the file knows")
                form.wait_for("<Discard>")
                for name in [*self.names("misc"), "g_nCustom"]:
                    self.assertTrue(any(name in frame for frame in form.frames), name)
                self.assertRegex(form.line_with("g_nCustom"), r"g_nCustom +7 +1 ")
                form.type(ESCAPE)
                self.assert_ended(form)
                self.assertIn("nothing was changed", form.text())

    def test_what_is_invalid_is_refused_at_the_field(self):
        before = self.misc_file.read_bytes()
        with self.edit("misc", "edit") as form:
            self.enter_trace_size(form, "99")
            form.wait_for('"99" is not valid; allowed: 100 to 2147483647 bytes')
            form.wait_for("<Cancel>")  # still in the dialog, with what was typed
            self.assertRegex(form.line_with("│ Value"), r"Value +99_")
            # What `misc set` says is the same.
            said = self.vm.config("misc", "set", "MaxTraceFileSize", "99", status=78).stderr
            self.assertIn('"99" is not valid; allowed: 100 to 2147483647 bytes', said)
            form.type(CTRL_U, "5000", ENTER)
            form.wait_for("* MaxTraceFileSize")
            self.close(form)
            form.type(ENTER)
            form.wait_for("<Cancel>")
            form.type(CTRL_U, "x", ESCAPE)
            self.close(form)
            form.wait_for(re.compile(r"\* MaxTraceFileSize +5000 "))
            form.type(F12)
            form.wait_for("One option was changed and not applied.")
            form.type(ENTER)
            self.assert_ended(form)
        self.assertEqual(before, self.misc_file.read_bytes())

    def test_what_is_wrong_in_the_file_can_be_put_right(self):
        """Nothing is chosen for a person who only ignores it; blank is the default."""
        self.misc_file.write_text("[MaxTraceFileSize]\nValue = many\n[g_bUseTTS]\nValue = perhaps\n[g_bUseAmis]\nValue =\n")
        with self.edit("misc", "edit") as form:
            names = self.names("misc")
            self.open(form, names.index("g_bUseTTS"), "Read e-mail text", "g_bUseTTS")
            form.type(ENTER)
            form.wait_for('"perhaps" is not valid; allowed: True, False')
            form.type(TAB, " ", TAB, ENTER)
            form.wait_for(re.compile(r"\* g_bUseTTS +perhaps +1"))
            self.close(form)
            self.open(form, names.index("g_bUseAmis"), "Another part of the unit", "g_bUseAmis")
            form.type(ENTER)
            self.close(form)
            self.changed(form)
            self.assertNotIn("* g_bUseAmis", form.text())
            self.apply(form)
            self.assert_ended(form)
        self.assertEqual(
            "[MaxTraceFileSize]\nValue = 5000\n[g_bUseTTS]\nValue = perhaps\nIgnore = 1\n[g_bUseAmis]\nValue =\n",
            self.misc_file.read_text(),
        )

    def test_discarding_asks_and_can_be_taken_back(self):
        before = self.misc_file.read_bytes()
        with self.edit("misc", "edit") as form:
            self.changed(form)
            for key in (ESCAPE, F12):
                form.type(key)
                form.wait_for("One option was changed and not applied.")
                form.type(TAB, ENTER)
                form.wait_for_no("not applied.")
            form.wait_for(re.compile(r"\* MaxTraceFileSize +5000 "))
            form.type(TAB, TAB, ENTER)  # the button Discard
            self.assert_ended(form)
            self.assertIn("nothing was changed", form.text())
        self.assertEqual(before, self.misc_file.read_bytes())
        with self.edit("misc", "edit") as form:  # what was not changed is not written either
            self.apply(form)
            self.assert_ended(form)
            self.assertIn("nothing was changed", form.text())
        self.assertEqual(before, self.misc_file.read_bytes())

    def test_what_others_change_meanwhile_is_not_overwritten(self):
        with self.edit("misc", "edit") as form:
            self.changed(form)
            self.vm.config("misc", "set", "g_bUseTTS", "True")
            self.apply(form)
            self.assert_ended(form)
            self.assertIn(b"changed by somebody else meanwhile, and that was kept: g_bUseTTS\r\n", form.drawn)
        self.assertEqual(("5000", "True"), (self.value("MaxTraceFileSize"), self.value("g_bUseTTS")))
        text = self.misc_file.read_text()
        self.misc_file.write_text(text + "[g_nGone]\nValue = 1\n")
        with self.edit("misc", "edit") as form:
            self.changed(form, "6000")
            form.type(END)  # on an option that goes meanwhile
            form.wait_for("An option that only the file knows")
            self.misc_file.write_text(text)
            self.vm.config("misc", "set", "MaxTraceFileSize", "7000")
            before = self.misc_file.read_bytes()
            self.apply(form)
            self.wait_for_refusal(form, 'MaxTraceFileSize (now "7000")')
            self.assertEqual(before, self.misc_file.read_bytes())
            form.type(ENTER)
            form.wait_for_no("Nothing was written")
            self.assertNotIn("g_nGone", form.text())
            form.type(TAB, TAB, HOME)
            form.wait_for(re.compile(r"\* MaxTraceFileSize +6000 "))
            form.type(TAB, ENTER)  # on the button still: who has seen it may do it
            self.assert_ended(form)
        self.assertEqual("6000", self.value("MaxTraceFileSize"))

    # ---- Mailbox Options ----------------------------------------------------------------------------
    def shown_options(self):
        """The options of the screen in force, in its order."""
        shown = self.vm.config("mailbox", "show", "101", "--json").stdout
        return list(json.loads(shown)["options"])

    def row(self, name):
        """The number of a row of the form, where the heading of the additions is one."""
        names = self.shown_options()
        return names.index(name) + (names.index(name) >= names.index("TLS CA File"))

    def open_option(self, form, name, help_text):
        self.open(form, self.row(name), help_text, name)

    def test_a_mailbox_is_filled_in(self):
        with self.edit_mailbox() as form:
            self.open_option(form, "Email Integration", "Whether this mailbox is integrated")
            form.type(DOWN, ENTER)  # a list: Yes
            form.wait_for("* Email Integration  ")
            self.close(form)
            self.open_option(form, "Email Name", "The address that receives")
            form.type("Ann <ann@example.com>", ENTER)
            form.wait_for('"Ann <ann@example.com>" is not valid')
            form.type(CTRL_U, "ann@example.com", ENTER)
            form.wait_for("* Email Name")
            self.close(form)
            self.apply(form)  # what belongs together is looked at now, and nothing is lost
            self.wait_for_refusal(form, "needs Smtp Server")
            form.type(ENTER)
            form.wait_for_no("Nothing was written")
            form.type(TAB, TAB)  # from the button back to the table
            self.open_option(form, "Smtp Server", "Where the mails are handed in.")
            self.assertRegex(form.line_with("│ Value"), r"Value +_{50}")  # not "None", to be deleted first
            form.type("smtp.example.com", ENTER)
            form.wait_for("* Smtp Server")
            self.close(form)
            self.open_option(form, "Imap4 Search Mode", "How a mail is found again")
            form.type(DOWN, TAB, TAB, ENTER)  # Text, but then Cancel
            self.close(form)
            form.type(DOWN)
            form.wait_for("-- Additions, not on the unit's own screen --")
            self.open_option(form, "Time Zone", "Zone of the times")
            form.type("Europe/Paris", TAB, ENTER)
            form.wait_for("* Time Zone")
            self.close(form)
            self.apply(form)
            self.assert_ended(form)
        shown = self.vm.config("mailbox", "show", "101").stdout
        for line in ("Email Integration +Yes", "Email Name +ann@example.com", "Smtp Server +smtp.example.com"):
            self.assertRegex(shown, rf"(?m)^{line}$")
        self.assertRegex(shown, r"(?m)^Time Zone +Europe/Paris$")
        self.assertRegex(shown, r"(?m)^Imap4 Search Mode +Header$")

    def test_passwords_are_on_no_screen(self):
        self.mailbox_file.write_text("; mine\n[Email]\nImap4 Password = typed-by-hand\nColour = blue\n")
        self.mailbox_file.chmod(0o600)
        with self.edit_mailbox() as form:
            self.open_option(form, "Imap4 Password", "Its password.")
            form.wait_for("Now (set).")
            form.type(ENTER)  # nothing typed: it stays
            self.close(form)
            self.assertNotIn("* Imap4", form.text())
            self.open_option(form, "Smtp Password", "Its password.")
            form.wait_for("Now (blank).")
            form.type("x" * 30, CTRL_U, PASSWORD, ENTER)
            form.wait_for(re.compile(r"\* Smtp Password +\(set\)"))
            self.close(form)
            self.apply(form)
            self.assert_ended(form)
            for word in (PASSWORD, "typed-by-hand", "sealed:", "x" * 3, "*" * 3):
                self.assertFalse(any(word in frame for frame in form.frames), word)
                self.assertNotIn(word.encode(), form.drawn)
        text = self.mailbox_file.read_text()
        self.assertRegex(text, r"^; mine\n\[Email\]\nImap4 Password = typed-by-hand\nColour = blue\nSmtp Password = sealed:")
        with self.edit_mailbox() as form:
            self.open_option(form, "Imap4 Password", "Its password.")
            form.type("nothing", TAB, TAB, TAB, ENTER)  # the button "Take it away", whatever was typed
            form.wait_for(re.compile(r"\* Imap4 Password +\(blank\)"))
            self.close(form)
            self.apply(form)
            self.assert_ended(form)
        self.assertRegex(self.mailbox_file.read_text(), r"(?m)^Imap4 Password = ?$")
        self.assertRegex(self.vm.config("mailbox", "show", "101").stdout, r"Smtp Password +\(set\)")

    def test_a_password_that_is_too_long_is_not_cut(self):
        before = self.mailbox_file.read_bytes()
        with self.edit_mailbox() as form:
            self.open_option(form, "Smtp Password", "Its password.")
            for _ in range(9):
                form.type("p" * 1000)
            form.type(ENTER)
            form.wait_for("it is longer than 8188 bytes")
            form.type("short", ENTER)  # the field was cleared
            form.wait_for("* Smtp Password")
            form.type(ESCAPE)
            form.wait_for("not applied.")
            form.type(ENTER)
            self.assert_ended(form)
        self.assertEqual(before, self.mailbox_file.read_bytes())

    def test_a_password_loses_no_character_unnoticed(self):
        for locale, typed in (("C", "pä"), ("C.UTF-8", b"p\xe4s")):  # a terminal of another mind than the locale
            with self.edit_mailbox(environment={"LC_ALL": locale}) as form:
                self.open_option(form, "Smtp Password", "Its password.")
                form.type(typed, ENTER)
                form.wait_for("it has characters that this terminal")
                form.type("päß", ENTER) if locale == "C.UTF-8" else form.type(F12)
                self.close(form)
                self.apply(form)
                self.assert_ended(form)
                self.assertEqual(locale == "C.UTF-8", "Smtp Password = (set)" in form.text())

    # ---- trouble ------------------------------------------------------------------------------------
    def failing(self):
        """The environment of a disk that fails as the file says, and this file."""
        what = self.files / "what"
        what.write_text("")
        library = vmunit.preloaded(
            self.vm.build, "fail_io", VM_FAIL_ROOT=self.vm.root, VM_FAIL_WHAT=what, VM_FAIL_LOG=self.files / "log"
        )
        return library, what

    def test_what_cannot_be_written_is_said_and_kept(self):
        environment, what = self.failing()
        before = self.misc_file.read_bytes()
        with self.edit("misc", "edit", environment=environment) as form:
            self.changed(form)
            form.type(TAB)
            for failure, words in (("write 1+", "No space left on device"), ("readonly", "Read-only file system")):
                what.write_text(failure)
                form.type(ENTER)
                self.wait_for_refusal(form, words)
                form.type(ENTER)
                form.wait_for_no("Nothing was written")
                form.wait_for(re.compile(r"\* MaxTraceFileSize +5000 "))
                self.assertEqual(before, self.misc_file.read_bytes())
            what.write_text("")
            with open(self.vm.root / "etc/vmconfig.lock", "wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                form.type(ENTER)
                self.wait_for_refusal(form, "another edit is being written")
                form.type(ENTER)
                form.wait_for_no("Nothing was written")
            form.type(ENTER)
            self.assert_ended(form)
        self.assertEqual("5000", self.value("MaxTraceFileSize"))

    def test_signals_end_it_and_nothing_is_applied(self):
        before = self.misc_file.read_bytes()
        for in_dialog in (False, True):
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, None):
                with self.subTest(number=number, in_dialog=in_dialog), self.edit("misc", "edit") as form:
                    self.changed(form)
                    if in_dialog:
                        form.type(ENTER)
                        form.wait_for("<Cancel>")
                    if number is None:
                        form.type(CTRL_C)
                    else:
                        form.process.send_signal(number)
                    self.assert_ended(form, -(number or signal.SIGINT))
                    self.assertTrue(form.drawn.endswith(b"\x1b[?1049l"), form.drawn[-50:])
                    self.assertFalse(form.screen.cursor.hidden)
                    self.assertEqual(before, self.misc_file.read_bytes())

    def test_signals_reach_it_when_it_redraws(self):
        """After Ctrl-L the library waits for the next key by itself."""
        with self.edit("misc", "edit") as form:
            drawn = len(form.drawn)
            form.type(CTRL_L)
            form.wait_until("the screen again", lambda: b"MaxTraceFileSize" in form.drawn[drawn:])
            form.process.send_signal(signal.SIGTERM)
            self.assert_ended(form, -signal.SIGTERM)

    def test_a_terminal_that_is_closed_ends_it(self):
        before = self.misc_file.read_bytes()
        for ignored in (False, True):  # as nohup has it
            command = self.vm.command("vmconfig", "misc", "edit")
            if ignored:
                command = ["/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh", *command]
            with Terminal(command) as form:
                form.wait_for("<Discard>")
                self.changed(form)
                form.close()
                status = form.process.wait(vmunit.COMMAND_SECONDS)
                self.assertEqual(69 if ignored else -signal.SIGHUP, status)
            self.assertEqual(before, self.misc_file.read_bytes())

    def test_it_can_be_stopped_and_taken_up_again(self):
        script = 'set -m; "$@"; stty -a | grep -owe "-\\?echo"; fg'
        with Terminal(["/bin/sh", "-c", script, "sh", *self.vm.command("vmconfig", "misc", "edit")]) as form:
            form.wait_for("<Discard>")
            self.changed(form)
            drawn = len(form.drawn)
            form.type(CTRL_Z)
            form.wait_until("the shell's line", lambda: re.search(rb"[^-]echo\r", form.drawn[drawn:]))
            form.wait_until("the form again", lambda: b"* MaxTraceFileSize" in form.drawn[drawn:])
            form.wait_until("the form's keys", form.takes_keys)
            form.type(TAB, ENTER)
            self.assert_ended(form)
        self.assertEqual("5000", self.value("MaxTraceFileSize"))

    # ---- terminals ----------------------------------------------------------------------------------
    def wait_for_whole(self, form, title):
        """Until the window of this title is there with all of its frame and its buttons, in 80 columns."""
        form.wait_until(f"the whole window {title}", lambda: self.is_whole(form.text().split("\n"), title))

    @staticmethod
    def is_whole(lines, title):
        top = next((i for i, line in enumerate(lines) if f"{title} ├" in line), None)
        if top is None or max(map(len, lines)) > 80:
            return False
        left, right = lines[top].index("┌"), lines[top].rindex("┐")
        frame = [line[left : left + 1] + line[right : right + 1] for line in lines[top + 1 :]]
        height = next((i for i, sides in enumerate(frame) if sides != "││"), None)
        if height is None or frame[height] != "└┘":
            return False
        return re.search("<OK> +<Cancel>|<Apply changes> +<Discard>", lines[top + height]) is not None

    def test_every_dialog_fits_80x24(self):
        for plugin in ("libsmtpimap4.so", "libsmtppop3.so"):
            self.vm.use_plugin(plugin)
            with self.edit_mailbox() as form:
                self.wait_for_whole(form, "Email")
                names = self.shown_options()
                self.assertGreater(len(names), 20)
                for name in names:
                    form.type(*[DOWN] * (name == "TLS CA File"))  # over the heading
                    self.look_at(form, name)
        with self.edit("misc", "edit") as form:
            self.wait_for_whole(form, "Misc Setup")
            for name in self.names("misc"):
                self.look_at(form, name)

    def look_at(self, form, name):
        """At the dialog of the current row, and down to the next."""
        form.type(ENTER)
        self.wait_for_whole(form, f"[{name}]")
        form.type(F12)
        self.close(form)
        form.type(DOWN)

    def test_terminals_of_other_kinds(self):
        cases = (("vt100", "C"), ("linux", "C.UTF-8"), ("xterm-256color", "de_XX.UTF-8"), ("screen", "POSIX"))
        for term, locale in cases:
            with self.subTest(term=term), self.edit("misc", "edit", term=term, environment={"LC_ALL": locale}) as form:
                self.changed(form, "5000")
                form.wait_for(re.compile(r"┌─+┤ Misc Setup ├─+┐"))
                self.apply(form)
                self.assert_ended(form)
                self.vm.config("misc", "set", "MaxTraceFileSize", "100000")

    def test_values_of_all_languages(self):
        with self.edit("misc", "edit") as form:
            row = self.names("misc").index("g_szMessageWaitingCommand")
            self.open(form, row, "Program run as CMD", "g_szMessageWaitingCommand")
            form.type("/opt/Glühbirne-電球x", BACKSPACE, ENTER)
            form.wait_for(re.compile("\\* g_szMessageWaitingCommand +/opt/Glühbirne-電球 +0"))
            self.apply(form)
            self.assert_ended(form)
        self.assertEqual("/opt/Glühbirne-電球", self.value("g_szMessageWaitingCommand"))
        # Where they cannot be shown they are not changed either.
        with self.edit("misc", "edit", term="vt100", environment={"LC_ALL": "C"}) as form:
            self.go_to(form, row, "Program run as CMD")
            form.wait_for(re.compile(r"g_szMessageWaitingCommand +/opt/Gl\?hbirne-\?\? +0"))
            form.type(ENTER)
            form.wait_for("LC_ALL=C.UTF-8")
            form.type(ENTER, ESCAPE)
            self.assert_ended(form)
        self.assertEqual("/opt/Glühbirne-電球", self.value("g_szMessageWaitingCommand"))

    def test_hostile_values_are_shown_without_harm(self):
        self.misc_file.write_bytes(
            "[g_szMessageWaitingCommand]\nValue = a\x1b[2Jb\u202ec\x9b31md\n[g_nCustom]\nValue = 1\n".encode("latin-1", "replace")
            .replace(b"?", "\u202e".encode())
        )
        with self.edit("misc", "edit") as form:
            form.type(END)
            form.wait_for("An option that only the file knows")
            form.type(ENTER)
            form.wait_for("<Cancel>")
            form.type(ESCAPE)
            self.close(form)
            self.open(
                form, self.names("misc").index("g_szMessageWaitingCommand"), "Program run", "g_szMessageWaitingCommand"
            )
            for harm in (b"\x1b[2Jb", b"\x9b31m", "\u202e".encode()):
                self.assertNotIn(harm, form.drawn)

    def test_resizing_does_no_harm(self):
        with self.edit("misc", "edit") as form:
            for columns, rows in ((132, 50), (40, 10), (80, 24), (20, 3), (80, 24)):
                drawn = len(form.drawn)
                form.resize(columns, rows)
                form.wait_until("it is drawn again", lambda n=drawn: b"vmconfig  " in form.drawn[n:])
                if columns < 80:  # a dialog has no room
                    form.type(ENTER)
                    form.wait_until("the bell", lambda n=drawn: b"\x07" in form.drawn[n:])
                    continue
                form.wait_for("<Discard>")
                self.wait_for_whole(form, "Misc Setup")
                form.type(ENTER)
                form.wait_for("<Cancel>")
                form.type(ESCAPE)
                self.close(form)
            self.changed(form)
            self.apply(form)
            self.assert_ended(form)
        with self.edit("misc", "edit", columns=160, rows=60) as form:  # all rows of a large one are used
            for name in self.names("misc"):
                form.wait_for(name)

    def test_without_a_terminal_the_commands_are_named(self):
        done = self.vm.config("misc", "edit", status=64)
        self.assertEqual(1, done.stderr.count("\n"))
        self.assertIn("vmconfig misc set", done.stderr)
        done = self.vm.config("mailbox", "edit", "101", status=64)
        self.assertIn("vmconfig mailbox set 101", done.stderr)
        missing = self.vm.config("mailbox", "edit", "999", status=66).stderr
        self.assertEqual(self.vm.config("mailbox", "show", "999", status=66).stderr, missing)
        cases = (
            ({"columns": 79}, 69, "79x24"),
            ({"rows": 23}, 69, "80x23"),
            ({"term": "nonsense"}, 69, "TERM=nonsense"),
            ({"term": "dumb"}, 64, "needs a terminal"),
            ({"term": ""}, 64, "needs a terminal"),
        )
        for options, status, words in cases:
            with self.subTest(**options), Terminal(self.vm.command("vmconfig", "edit"), **options) as terminal:
                self.assert_ended(terminal, status)
                self.assertIn(words, terminal.drawn.decode())
                self.assertIn("vmconfig misc set\r\n", terminal.drawn.decode())
                self.assertNotIn(b"\x1b", terminal.drawn)

    def test_a_picture_can_be_taken(self):
        with self.edit("misc", "edit") as form:
            picture = xml.dom.minidom.parseString(form.svg())
            texts = "".join(node.firstChild.data for node in picture.getElementsByTagName("text"))
            self.assertIn("MaxTraceFileSize", texts)
            backs = {node.getAttribute("fill") for node in picture.getElementsByTagName("rect")}
            self.assertLessEqual({"#0000aa", "#c8c8c8"}, backs)


if __name__ == "__main__":
    vmunit.main()
