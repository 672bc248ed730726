"""How soon one end learns what was deleted at the other: one mailbox, the agent parked."""

import latency
import mailclient
import mailrig
import media
import servers
import vmunit
from tables import Column, Series, at_most, compare

SECONDS = 120
DELETIONS = 50
MOST_MS_AFTER_IDLE = 100
MOST_MS_TO_ACCOUNT = 200
TO_PHONE, TO_ACCOUNT = "in the mail -> phone, after a bare IDLE client", "on the phone -> account"


def run(context):
    rig = context.enter(servers.rig(["ann"]))
    unit = vmunit.Unit(build=context.build, root=context.work / "unit")
    unit.mailbox(
        "101",
        rig,
        "ann",
        Email_Integration_Sync_Mode="Inbox Only",
        Imap4_Server=rig.host,
        Imap4_Port=rig.ports["imaps"],
        Imap4_SSL="Yes",
        Imap4_Account="ann",
        Imap4_Password=rig.users["ann"],
    )
    agent = context.enter(unit.agent())
    agent.wait_for_workers()
    identities = [unit.add("101", media.recording("digits/1")) for _ in range(2 * DELETIONS)]
    phone = context.enter(latency.Phone(unit))
    mailrig.wait_until(f"{2 * DELETIONS} linked messages", lambda: phone.links() == 2 * DELETIONS, 120)
    client = context.enter(mailclient.MailClient(rig, "ann"))
    idle = context.enter(latency.IdleClient(rig, "ann"))
    series = Series([TO_PHONE, TO_ACCOUNT])
    for identity in identities[:DELETIONS]:
        series.add(TO_PHONE, {"late": latency.deleted_in_mail(phone, client, idle, identity)})
    client.select("INBOX")
    for identity in identities[DELETIONS:]:
        series.add(TO_ACCOUNT, {"late": latency.deleted_on_phone(unit, client, identity)})
    columns = [Column("late", "ms", 1000, "{:.1f}", ratio=False, spread=True)]
    table = compare(f"{DELETIONS} deletions each way", series, columns, TO_PHONE)
    table.headings[0] = "deleted"
    to_phone, to_account = (series.median(way, "late") * 1000 for way in (TO_PHONE, TO_ACCOUNT))
    return [table], [
        at_most("deleted in the mail, on the phone after IDLE", to_phone, MOST_MS_AFTER_IDLE, "ms"),
        at_most("deleted on the phone, from the account", to_account, MOST_MS_TO_ACCOUNT, "ms"),
    ]
