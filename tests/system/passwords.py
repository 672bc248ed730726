"""The password of the tests' accounts, and the search for it where no password may be.

tests/run makes one for each run and looks for it in what every suite prints; a Unit looks for it in
what each of its commands prints and, when it is removed, in its trace, its database and all else
below its root but the files of Mailbox Options, where an administrator may have written it.
"""

import base64
import os
import secrets

# Taken out: no program inherits it.
PASSWORD = os.environ.pop("VM_TEST_PASSWORD", None) or "Pw" + secrets.token_hex(8)


def _forms(password):
    """As it is, and as it reads in base64, whatever stands before it."""
    yield password
    for before in range(3):
        text = base64.b64encode(bytes(before) + password)
        first = (before * 8 + 5) // 6  # characters that are not of the password alone
        last = len(text.rstrip(b"=")) - ((before + len(password)) % 3 != 0)
        yield text[first:last]


FORMS = list(_forms(PASSWORD.encode()))


def is_in(data):
    """Whether the password is in this text, or these bytes."""
    if isinstance(data, str):
        data = data.encode(errors="surrogateescape")
    return any(form in data for form in FORMS)
