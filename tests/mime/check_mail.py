#!/usr/bin/env python3
"""Checks mails with a parser that is not ours: check_mail.py DIRECTORY

For every NAME.eml in DIRECTORY, NAME.json says what is expected:
  headers      {name: decoded value}: these and no others, each once
  from, to     [display name or null, address]: the only ones
  date         ISO 8601 with offset
  text         lines of the text part that are not blank; or text_lines: how many they are
  token        the last line of the text part that is not blank
  attachments  [{type, filename?, duration?, same_as?, pdf_pages?, pdf_points?, wav?, save_as?}]
               wav: {seconds, hertz} of a tone that plays as 8 kHz mono with µ-law
  long_lines   true: an address is longer than a folded line
A value of null means: present, but anything. Prints what is wrong; exit status 1 when something is.
"""
import email
import email.header
import email.policy
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

STRUCTURAL = {"from", "to", "date", "mime-version", "content-type", "content-transfer-encoding"}


def check_bytes(raw, want):
    """RFC 5321 and 5322: CRLF, length, 7 bit."""
    if not raw.endswith(b"\r\n"):
        yield "does not end with CRLF"
    if re.search(rb"(?<!\r)\n|\r(?!\n)", raw):
        yield "has a bare CR or LF"
    if not raw.isascii() or b"\0" in raw:
        yield "is not 7 bit"
    # Headers are folded at 78 (GMime lets a parameter reach 79), encoded bodies at 76.
    for line in raw.split(b"\r\n"):
        if len(line) > 79 - (b"=?" in line) and not want.get("long_lines"):
            yield f"line of {len(line)} octets: {line!r}"
    for line in raw.split(b"\r\n\r\n", 1)[0].split(b"\r\n"):
        if not line.strip():
            yield "has a header line of blanks"
        for word in re.findall(rb"=\?[^ ]*\?=", line):
            if len(word) > 75:
                yield f"encoded word of {len(word)} characters: {word!r}"


def check_headers(mail, want):
    names = [name.lower() for name in mail.keys()]
    for name in sorted(set(names)):
        if names.count(name) > 1:
            yield f"header {name} {names.count(name)} times"
    expected = STRUCTURAL | {name.lower() for name in want["headers"]}
    if want["attachments"]:
        expected.discard("content-transfer-encoding")
    if set(names) != expected:
        yield f"headers {sorted(set(names) ^ expected)} are missing or unexpected"
    for name, value in want["headers"].items():
        if value is not None and str(mail[name]) != value:
            yield f"{name}: {str(mail[name])!r}, expected {value!r}"
    for name in ("from", "to"):
        addresses = [[a.display_name, a.addr_spec] for a in mail[name].addresses]
        raw = dict((n.lower(), v) for n, v in mail.raw_items())[name]
        if "=?" in raw:
            # This parser puts blanks between encoded words of a display name; the older one does not.
            decoded = str(email.header.make_header(email.header.decode_header(raw)))
            addresses[0][0] = decoded.rsplit("<", 1)[0].rstrip()
        wanted = want[name]
        if len(addresses) != 1 or addresses[0][1] != wanted[1]:
            yield f"{name}: {addresses}, expected {wanted}"
        elif wanted[0] is not None and addresses[0][0] != wanted[0]:
            yield f"{name}: {addresses[0][0]!r}, expected {wanted[0]!r}"
    if want.get("date") and mail["date"].datetime.isoformat() != want["date"]:
        yield f"date: {mail['date'].datetime.isoformat()}, expected {want['date']}"


def check_defects(mail):
    for part in mail.walk():
        for defect in part.defects:
            yield f"{part.get_content_type()}: defect {defect!r}"
        for name, value in part.items():
            for defect in getattr(value, "defects", ()):
                yield f"{name}: defect {defect!r} in {value!r}"


def check_text(part, want):
    if part.get_content_type() != "text/plain" or part.get_content_charset() != "utf-8":
        yield f"first part is {part.get_content_type()} in {part.get_content_charset()}"
        return
    filled = [line for line in re.split("\r?\n", part.get_content()) if line]
    if want.get("text") is not None and filled != want["text"]:
        yield f"text: {filled}, expected {want['text']}"
    if "text_lines" in want and len(filled) != want["text_lines"]:
        yield f"text has {len(filled)} lines, expected {want['text_lines']}: {filled}"
    if not filled or filled[-1] != want["token"]:
        yield f"text ends in {filled[-1:]}, expected {want['token']}"
    if part.get_content().upper().count("[VM:") != 1:
        yield "text has more than one search token"
    if want["token"].encode() not in part.as_bytes().replace(b"\r", b"").split(b"\n"):
        yield "the search token is not to be found without decoding"


def check_pdf(content, want):
    if not content.startswith(b"%PDF-") or b"%%EOF" not in content[-32:]:
        yield "PDF is not complete"
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", content))
    if pages != want["pdf_pages"]:
        yield f"PDF has {pages} pages, expected {want['pdf_pages']}"
    if content.count(b"/CCITTFaxDecode") != want["pdf_pages"]:
        yield "PDF pages are not CCITT fax data"
    boxes = re.findall(rb"/MediaBox\s*\[([^\]]*)\]", content)
    for box in boxes:
        size = [float(x) for x in box.split()][2:]
        if any(abs(a - b) > 0.5 for a, b in zip(size, want["pdf_points"])):
            yield f"PDF page of {size} points, expected {want['pdf_points']}"
    if shutil.which("pdfinfo"):
        with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
            file.write(content)
            file.flush()
            run = subprocess.run(["pdfinfo", file.name], capture_output=True, text=True)
            if run.returncode or not re.search(rf"Pages:\s+{want['pdf_pages']}\b", run.stdout):
                yield f"pdfinfo: {run.stdout} {run.stderr}"


def mulaw_samples(content):
    """The samples of a WAV file with µ-law (RFC 2361, G.711), by nothing but its bytes."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE" or struct.unpack("<I", content[4:8])[0] != len(content) - 8:
        raise ValueError("not a whole RIFF file")
    at, form, data = 12, None, None
    while at + 8 <= len(content):
        name, length = content[at : at + 4], struct.unpack("<I", content[at + 4 : at + 8])[0]
        body = content[at + 8 : at + 8 + length]
        if len(body) != length:
            raise ValueError(f"chunk {name!r} is cut")
        if name == b"fmt ":
            form = struct.unpack("<HHIIHH", body[:16])
        if name == b"data":
            data = body
        at += 8 + length + length % 2
    if form != (7, 1, 8000, 8000, 1, 8):
        raise ValueError(f"format {form}, expected 8 kHz mono with µ-law")
    for byte in data:
        byte ^= 0xFF
        value = (((byte & 15) << 3) + 132 << (byte >> 4 & 7)) - 132
        yield -value if byte & 128 else value


def check_wav(content, want):
    try:
        samples = list(mulaw_samples(content))
    except ValueError as problem:
        yield f"WAV: {problem}"
        return
    seconds = len(samples) / 8000
    if abs(seconds - want["seconds"]) > 0.05:
        yield f"WAV of {seconds} s, expected {want['seconds']}"
    middle = samples[len(samples) // 4 : len(samples) * 3 // 4]
    crossings = sum(1 for a, b in zip(middle, middle[1:]) if a < 0 <= b)
    if abs(crossings / (len(middle) / 8000) - want["hertz"]) > 5:
        yield f"WAV with {crossings} crossings, expected a tone of {want['hertz']} Hz"
    if not 9000 < max(middle) < 12500:
        yield f"WAV with a peak of {max(middle)}, expected a third of full scale"


def check_attachment(part, want):
    if part.get_content_type() != want["type"]:
        yield f"attachment {part.get_content_type()}, expected {want['type']}"
    if part.get_content_disposition() != "attachment" or part.get_filename() is None:
        yield "attachment without name or disposition"
    if "filename" in want and part.get_filename() != want["filename"]:
        yield f"attachment named {part.get_filename()!r}, expected {want['filename']!r}"
    if part["content-transfer-encoding"] != "base64":
        yield "attachment is not base64"
    if part.get("content-duration") != want.get("duration"):
        yield f"Content-Duration {part.get('content-duration')}, expected {want.get('duration')}"
    content = part.get_payload(decode=True)
    if "same_as" in want:
        with open(want["same_as"], "rb") as file:
            if file.read() != content:
                yield f"attachment differs from {want['same_as']}"
    if "pdf_pages" in want:
        yield from check_pdf(content, want)
    if "wav" in want:
        yield from check_wav(content, want["wav"])
    if "save_as" in want:
        with open(want["save_as"], "wb") as file:
            file.write(content)


def check(raw, want):
    yield from check_bytes(raw, want)
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    yield from check_defects(mail)
    yield from check_headers(mail, want)
    parts = list(mail.iter_parts()) if mail.is_multipart() else [mail]
    if mail.get_content_type() != ("multipart/mixed" if want["attachments"] else "text/plain"):
        yield f"is {mail.get_content_type()}"
    yield from check_text(parts[0], want)
    if len(parts) != 1 + len(want["attachments"]):
        yield f"has {len(parts) - 1} attachments, expected {len(want['attachments'])}"
        return
    for part, wanted in zip(parts[1:], want["attachments"]):
        yield from check_attachment(part, wanted)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: check_mail.py DIRECTORY")
    directory = sys.argv[1]
    names = sorted(name[:-4] for name in os.listdir(directory) if name.endswith(".eml"))
    wrong = 0
    for name in names:
        with open(os.path.join(directory, name + ".eml"), "rb") as file:
            raw = file.read()
        with open(os.path.join(directory, name + ".json"), encoding="utf-8") as file:
            want = json.load(file)
        for problem in check(raw, want):
            print(f"{name}: {problem}")
            wrong += 1
    print(f"{len(names)} mails, {wrong} problems")
    sys.exit(1 if wrong or not names else 0)


main()
