"""A thousand messages with recordings of 100 KB, from twenty mailboxes by one SMTP server and account.

Every client sends to the same server, one after the other: smtp-sink, which forgets every mail, and Postfix, which
queues it durably before it does. vmemaild commits the state of every message to its store meanwhile; smtp-source
(-d keeps connections, -s is how many) makes its mails up and has neither files nor state; msmtp is a process a
message, so it is given fewer of them.
"""

import measure
import media
import seeding
import servers
import vmunit
from part_mailbox import counting
from proxy import Proxy
from tables import Column, at_least, at_most, compare

SECONDS = 420
MAILBOXES, MESSAGES = 20, 1000
MSMTP_MESSAGES, MSMTP_LATE_MESSAGES = 100, 10
RECORDING_BYTES = 100_000
BYTES_A_SECOND = 16_000  # of recordings: 16 bit, 8 kHz
DELAY_MS = 20
LONGEST = 120
OURS, MSMTP = "vmemaild --once", "msmtp, a process each"
SOURCE, SINGLE = "smtp-source -d -s 20", "smtp-source -d -s 1"
SENDER, RECIPIENT = "voicemail@example.test", "ann@example.test"


def run(context):
    rig = context.enter(servers.rig(["ann"], discarding=True))
    sink = context.enter(servers.Sink())
    mail = Mail(context)
    tables, claims = [], []
    for target, port in (("smtp-sink", sink.port), ("Postfix", rig.ports["relay"])):
        proxy = context.enter(Proxy("127.0.0.1", port))
        near = clients(context, mail, target, port, (), MSMTP_MESSAGES, rig.drain)
        direct = measure.interleaved(near, context.rounds, context.say)
        proxy.delay(DELAY_MS)
        late = clients(context, mail, f"{target}-late", proxy.port, [proxy], MSMTP_LATE_MESSAGES, rig.drain)
        del late[SINGLE]
        delayed = measure.interleaved(late, context.few_rounds, context.say)
        what = f"{MESSAGES} mails of {mail.size / 1000:.0f} kB to {target}"
        rate = Column("rate", "msgs/s", 1, "{:.1f}", spread=True)
        cpu = Column("cpu ms", "client CPU ms/msg", 1, "{:.2f}")
        connections = Column("connections", "connections", ratio=False)
        turns = Column("turns/msg", "turns/msg", 1, "{:.2f}")
        tables += [
            compare(f"{what}, direct", direct, [rate, cpu], SOURCE),
            compare(f"{what}, {DELAY_MS} ms later each way", delayed, [rate, connections, turns], SOURCE),
        ]
        claims += [
            at_least(f"{target}, messages a second", direct.ratio(OURS, SOURCE, "rate"), 0.7, f"x {SOURCE}"),
            at_least(f"{target}, messages a second", direct.ratio(OURS, MSMTP, "rate"), 20, "x msmtp"),
            at_most(f"{target}, client CPU a message", direct.ratio(OURS, MSMTP, "cpu ms"), 1 / 10, "x msmtp"),
            at_least(
                f"{target}, messages a second at {DELAY_MS} ms each way",
                delayed.ratio(OURS, SOURCE, "rate"),
                1,
                f"x {SOURCE}",
            ),
        ]
    return tables, claims


class Mail:
    """The recording and the mail that is made of it."""

    def __init__(self, context):
        self.recording = context.work / "recording-100k.wav"
        media.write_recording(self.recording, (RECORDING_BYTES - 44) / BYTES_A_SECOND)
        self.file = context.work / "mail.eml"
        unit = seeding.SeededUnit(context, "mail", ["101"], options(1))
        unit.ctl("message", "export", unit.add("101", self.recording), "--as", "eml", "--output", self.file)
        self.size = self.file.stat().st_size


def options(port):
    return {
        "Email_Integration_Sync_Mode": "None",
        "Email_Name": RECIPIENT,
        "Smtp_Server": "127.0.0.1",
        "Smtp_Port": port,
        "Smtp_Account": "ann",
    }


def clients(context, mail, name, port, proxies, msmtp_messages, drain):
    """The clients of one target. Each lets its queue become empty, which is not part of its time."""
    numbers = [str(1000 + n) for n in range(MAILBOXES)]
    unit = seeding.SeededUnit(context, f"push-{name}", numbers, options(port))
    unit.use_recording(mail.recording)
    for number in numbers:
        unit.seed(number, MESSAGES // MAILBOXES, "queued")
    configuration = context.work / f"msmtprc.{name}"
    configuration.touch(0o600)
    configuration.write_text(
        "defaults\nauth off\ntls off\naccount default\n"
        f"host 127.0.0.1\nport {port}\nfrom {SENDER}\ndomain localhost\n"
    )

    def ours():
        unit.queue_again()
        figures = unit.pass_once()
        [(sent,)] = unit.query("SELECT COUNT(*) FROM deliveries WHERE state = 'sent'")
        if sent != MESSAGES:
            raise vmunit.Failed(f"{sent} of {MESSAGES} messages were sent; {unit.trace()[-3000:]}")
        return figures

    def source(sessions):
        command = ["/usr/sbin/smtp-source", "-d", "-s", sessions, "-m", MESSAGES, "-l", mail.size]
        return measure.run([*command, "-f", SENDER, "-t", RECIPIENT, f"127.0.0.1:{port}"], LONGEST)

    def msmtp():
        loop = 'n=$1; while [ "$n" -gt 0 ]; do msmtp -C "$2" "$3" < "$4" || exit 1; n=$((n - 1)); done'
        return measure.run(["sh", "-c", loop, "sh", msmtp_messages, configuration, RECIPIENT, mail.file], LONGEST)

    def per_message(client, count):
        def sample():
            figures = counting(client, proxies)()
            drain(LONGEST)
            figures.update({"rate": count / figures["wall"], "cpu ms": figures["cpu"] * 1000 / count})
            if proxies:
                figures["turns/msg"] = figures["turns"] / count
            return figures

        return sample

    return {
        OURS: per_message(ours, MESSAGES),
        SOURCE: per_message(lambda: source(20), MESSAGES),
        SINGLE: per_message(lambda: source(1), MESSAGES),
        MSMTP: per_message(msmtp, msmtp_messages),
    }
