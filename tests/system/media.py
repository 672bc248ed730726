"""Real recordings and real faxes for system tests, the demo and the bench."""

import pathlib
import shutil
import struct
import subprocess
import wave

RECORDINGS = pathlib.Path("/usr/share/asterisk/sounds/en_US_f_Allison")


class MediaError(Exception):
    pass


def recording(name):
    """A spoken prompt of package asterisk-core-sounds-en-wav: 16 bit PCM, 8 kHz, mono."""
    file = RECORDINGS / f"{name}.wav"
    if not file.exists():
        raise MediaError(f"{file} is missing; run scripts/deps")
    return file


def write_recording(file, seconds, source="demo-instruct"):
    """Writes a WAV of exactly so many seconds, cut from (or repeating) real speech."""
    with wave.open(str(recording(source))) as speech:
        parameters, samples = speech.getparams(), speech.readframes(speech.getnframes())
    frame = parameters.sampwidth * parameters.nchannels
    wanted = int(seconds * parameters.framerate) * frame
    with wave.open(str(file), "wb") as out:
        out.setparams(parameters._replace(nframes=0))
        for start in range(0, wanted, len(samples)):
            out.writeframes(samples[: min(len(samples), wanted - start)])


def duration_ms(file):
    with wave.open(str(file)) as speech:
        return speech.getnframes() * 1000 // speech.getframerate()


def seconds(file):
    """Its length as people are told it: whole seconds, a begun one counts."""
    return -(-duration_ms(file) // 1000)


def wav(path):
    """(format, channels, rate, samples) of a WAV file, by its own header."""
    data = path.read_bytes()
    assert data[:4] == b"RIFF" and data[8:12] == b"WAVE", data[:16]
    at, form = 12, None
    while at < len(data):
        name, size = data[at : at + 4], struct.unpack("<I", data[at + 4 : at + 8])[0]
        if name == b"fmt ":
            form = struct.unpack("<HHI", data[at + 8 : at + 16])
        if name == b"data":
            return (*form, data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    raise AssertionError("no data")


def level(samples):
    """The loudest of µ-law samples, 0 to 1 (ITU-T G.711)."""

    def linear(byte):
        byte = ~byte & 0xFF
        return (((byte & 0x0F) << 3) + 0x84 << ((byte & 0x70) >> 4)) - 0x84

    return max(map(linear, samples)) / 32124


def print_fax(document, tiff):
    """Prints a PostScript or PDF document as a fax machine would scan it: A4, 204 x 196 dots an
    inch, one bit a pixel, G4."""
    program = shutil.which("gs")
    if not program:
        raise MediaError("ghostscript is not installed; run scripts/deps")
    command = [program, "-q", "-dSAFER", "-dBATCH", "-dNOPAUSE", "-sDEVICE=tiffg4", "-r204x196"]
    command += ["-sPAPERSIZE=a4", "-dFIXEDMEDIA", "-dPDFFitPage", f"-sOutputFile={tiff}", str(document)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise MediaError(f"ghostscript: {done.stdout}{done.stderr}")


def write_fax(tiff, pages):
    """A fax of so many pages, each with its number on it."""
    document = pathlib.Path(f"{tiff}.ps")
    document.write_text(
        "%!PS\n/Helvetica findfont 40 scalefont setfont\n"
        + "".join(f"72 600 moveto (Page {n + 1} of {pages}) show showpage\n" for n in range(pages))
    )
    print_fax(document, tiff)
    document.unlink()
