"""What was done to a mailbox whose e-mails are read out at the phone (g_bUseTTS), and to their mails; see
ledger.py.

    line = EmailLine(unit, rig, "101", "ann")
    line.come(2)                                mails of others, 0 and 1, that nobody has read
    line.heard(0), line.deleted(1)              what was done on the phone
    line.seen(0), line.expunged(1)              done by the subscriber's mail program, and noted

Of a maildrop nothing travels but the mails themselves.
"""

import json
import re

from ledger import SEEN, Line


class EmailLine(Line):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.states = {}  # number of the mail -> the state its message must come to

    def copy(self, unit, user):
        line = super().copy(unit, user)
        line.states = dict(self.states)
        return line

    # ---- what is done -------------------------------------------------------------------------------
    def come(self, count):
        first = len(self.states)
        self.foreign("INBOX", count, first=first)
        self.states.update({number: "new" for number in range(first, first + count)})

    def identity(self, number):
        [message] = self.emails()[number]
        return message["id"]

    def heard(self, number):
        self.states[number] = "read"
        if not self.pop3:
            place = self._place(number)
            mail = self.strangers[place]  # a copy of this line has it too
            self.strangers[place] = mail._replace(flags=mail.flags | {SEEN})

    def deleted(self, number):
        self.states[number] = "deleted"
        if not self.pop3:
            del self.strangers[self._place(number)]

    def seen(self, number):
        self.mail.add_flags("INBOX", self._place(number)[1], SEEN)
        self.heard(number)

    def expunged(self, number):
        self.mail.expunge("INBOX", self._place(number)[1])
        self.deleted(number)

    # ---- what there is ------------------------------------------------------------------------------
    def emails(self):
        """Number of the mail -> the messages that it has become."""
        found = {}
        for message in self._all_messages():
            if message["kind"] == "email":
                number = int(re.fullmatch(r"Foreign mail (\d+)", message["subject"])[1])
                found.setdefault(number, []).append(message)
        return found

    def messages(self):
        return {message["id"]: message for message in self._all_messages() if message["kind"] != "email"}

    def _all_messages(self):
        listed = self.unit.ctl("message", "list", "--mailbox", self.number, "--all", "--json").stdout
        return json.loads(listed)["messages"]

    def _place(self, number):
        [place] = [
            place for place, mail in self.strangers.items() if mail.message_id.startswith(f"foreign.INBOX.{number}@")
        ]
        return place

    # ---- the comparison -------------------------------------------------------------------------------
    def problems(self):
        told, emails = super().problems(), self.emails()
        for number, state in self.states.items():
            states = [message["state"] for message in emails.get(number, [])]
            if len(states) > 1:
                told.append(f"doubled, mail {number}: {emails[number]}")
            elif states != [state]:
                told.append(f"mail {number} is {states}, wanted: {state}")
        return told
