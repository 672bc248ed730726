/* Opening a unit, and adding to it. */
#include "harness.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void opens_what_is_there(void) {
    struct vm_store* store = NULL;
    struct vm_store_error error;
    char path[PATH_SIZE * 2];
    STATUS(VM_STORE_OK, vm_store_open(NULL, &store, &error)); /* $VM_ROOT */
    SAME("", error.text);
    CHECK(store != NULL);
    vm_store_close(store);
    vm_store_close(NULL);
    snprintf(path, sizeof path, "%s/none", g_root);
    STATUS(VM_STORE_NO_INPUT, vm_store_open(path, &store, &error));
    CHECK(store == NULL);
    SAYS("vmconfig init");
    CHECK(vm_store_open(path, &store, NULL) == VM_STORE_NO_INPUT);
    STATUS(VM_STORE_USAGE, vm_store_open(g_root, NULL, &error));
    snprintf(path, sizeof path, "%s/var/vm.db", g_root);
    write_file(path, "this is no database, however long one looks at it and at what it says");
    STATUS(VM_STORE_UNAVAILABLE, vm_store_open(g_root, &store, &error));
    CHECK(store == NULL);
}

static void is_no_other_user(void) {
    struct vm_store* store = NULL;
    struct vm_store_error error;
    if (geteuid() != 0) return;
    CHECK(shell("chown -R 65534 '%s'", g_root) == 0);
    STATUS(VM_STORE_PERMISSION, vm_store_open(g_root, &store, &error));
    SAYS("user 65534");
    CHECK(store == NULL && geteuid() == 0);
    const pid_t child = fork();
    if (child == 0) {
        char id[VM_STORE_ID_SIZE];
        const struct vm_store_new message = a_message();
        if (setuid(65534) != 0 || vm_store_open(g_root, &store, NULL) != VM_STORE_OK) _exit(1);
        _exit(vm_store_add(store, &message, id, NULL));
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void adds_what_vmctl_shows(void) {
    struct vm_store* store = opened();
    struct vm_store_error error;
    struct vm_store_messages* found = NULL;
    char id[VM_STORE_ID_SIZE];
    struct stat status;
    struct vm_store_new message = a_message();
    message.caller_number = "5551234";
    message.caller_name = "Zo\xC3\xAB\nX";
    message.received = 1795000000123;
    message.urgent = message.is_private = 1;
    message.origin = "line 3/17";
    STATUS(VM_STORE_OK, vm_store_add(store, &message, id, &error));
    SAME("", error.text);
    CHECK(strlen(id) == VM_STORE_ID_SIZE - 1);
    STATUS(VM_STORE_OK, vm_store_get(store, id, &found, &error));
    CHECK(found->count == 1);
    const struct vm_store_message* got = found->messages[0];
    CHECK(got->struct_size == sizeof *got);
    SAME(id, got->id);
    SAME("101", got->mailbox);
    SAME("INBOX", got->folder);
    SAME("5551234", got->caller_number);
    SAME("Zo\xC3\xAB X", got->caller_name);
    SAME("line 3/17", got->origin);
    SAME("", got->sender);
    CHECK(got->kind == VM_STORE_VOICE && got->state == VM_STORE_NEW);
    CHECK(got->urgent == 1 && got->is_private == 1);
    CHECK(got->received == 1795000000123 && got->created > 0 && got->deleted == 0);
    CHECK(got->duration_ms == 500 && got->pages == 0);
    CHECK(got->delivery == VM_STORE_OFF && strstr(got->last_reply, "Email Integration") != NULL);
    CHECK(stat(got->media, &status) == 0 && status.st_size == got->size);
    CHECK(shell("cmp -s '%s' '%s'", g_recording, got->media) == 0);
    CHECK(shell("vmctl message show %s --json | grep -q Zo", id) == 0);
    vm_store_messages_free(found);

    /* Its source calls it so: it is the same one, also when it was deleted. */
    char again[VM_STORE_ID_SIZE];
    STATUS(VM_STORE_OK, vm_store_delete(store, id, &error));
    STATUS(VM_STORE_OK, vm_store_add(store, &message, again, &error));
    SAME(id, again);
    message.mailbox = "102";
    STATUS(VM_STORE_USAGE, vm_store_add(store, &message, again, &error));
    SAYS("mailbox 101");
    CHECK(count_all(store) == 1);

    message = a_message();
    message.kind = VM_STORE_FAX;
    message.file = g_fax;
    STATUS(VM_STORE_OK, vm_store_add(store, &message, id, &error));
    STATUS(VM_STORE_OK, vm_store_get(store, id, &found, &error));
    CHECK(found->messages[0]->kind == VM_STORE_FAX && found->messages[0]->pages == 1);
    vm_store_messages_free(found);

    /* Options that cannot be used do not keep a message out; they are told of. */
    CHECK(shell("echo 'Imap4 Port = many' >> $VM_ROOT/etc/mailboxes/101.ini") == 0);
    message = a_message();
    STATUS(VM_STORE_OK, vm_store_add(store, &message, id, &error));
    SAYS("Imap4 Port");
    CHECK(strlen(id) == VM_STORE_ID_SIZE - 1);
    vm_store_close(store);
}

/* One wrong field each. */
static void refuses_what_is_wrong(void) {
    struct vm_store* store = opened();
    struct vm_store_error error;
    char id[VM_STORE_ID_SIZE] = "before", damaged[PATH_SIZE * 2], media[PATH_SIZE * 2];
    snprintf(damaged, sizeof damaged, "%s/damaged.wav", g_root);
    snprintf(media, sizeof media, "%s/var/media", g_root);
    write_file(damaged, "RIFF and no more");
    struct vm_store_new good = a_message(), bad;
#define REFUSED(status, field, value)                        \
    bad = good;                                              \
    bad.field = (value);                                     \
    strcpy(id, "before");                                    \
    STATUS((status), vm_store_add(store, &bad, id, &error)); \
    SAME("", id)
    REFUSED(VM_STORE_USAGE, struct_size, 0);
    REFUSED(VM_STORE_USAGE, struct_size, sizeof good - 1);
    REFUSED(VM_STORE_USAGE, struct_size, (size_t)-1);
    REFUSED(VM_STORE_USAGE, mailbox, NULL);
    REFUSED(VM_STORE_USAGE, mailbox, "../101");
    REFUSED(VM_STORE_USAGE, mailbox, "123456789");
    REFUSED(VM_STORE_NO_INPUT, mailbox, "999");
    SAYS("vmconfig mailbox create 999");
    REFUSED(VM_STORE_USAGE, kind, 0);
    REFUSED(VM_STORE_USAGE, kind, VM_STORE_EMAIL);
    REFUSED(VM_STORE_USAGE, file, NULL);
    REFUSED(VM_STORE_NO_INPUT, file, "/nowhere.wav");
    REFUSED(VM_STORE_NO_INPUT, file, "/dev/null");
    REFUSED(VM_STORE_DATA, file, damaged);
    SAYS("damaged.wav");
    REFUSED(VM_STORE_DATA, kind, VM_STORE_FAX);
    REFUSED(VM_STORE_USAGE, received, INT64_MAX);
    REFUSED(VM_STORE_USAGE, received, INT64_MIN);
    REFUSED(VM_STORE_USAGE, urgent, 2);
    REFUSED(VM_STORE_USAGE, is_private, -1);
    REFUSED(VM_STORE_USAGE, origin, "two\nlines");
    REFUSED(VM_STORE_USAGE, origin, "");
    STATUS(VM_STORE_USAGE, vm_store_add(store, NULL, id, &error));
    STATUS(VM_STORE_USAGE, vm_store_add(NULL, &good, id, &error));
    STATUS(VM_STORE_USAGE, vm_store_add(store, &good, NULL, &error));
    CHECK(vm_store_add(store, NULL, NULL, NULL) == VM_STORE_USAGE);
    CHECK(count_all(store) == 0 && files_below(media) == 0);

    /* A caller of a later version asks for nothing new, or for what this one cannot do. */
    struct {
        struct vm_store_new known;
        void* later;
    } longer = {.known = good};
    longer.known.struct_size = sizeof longer;
    STATUS(VM_STORE_OK, vm_store_add(store, &longer.known, id, &error));
    longer.later = &longer;
    STATUS(VM_STORE_USAGE, vm_store_add(store, &longer.known, id, &error));
    CHECK(count_all(store) == 1);
    vm_store_close(store);
}

void test_adding(void) {
    run("opens_what_is_there", opens_what_is_there);
    run("is_no_other_user", is_no_other_user);
    run("adds_what_vmctl_shows", adds_what_vmctl_shows);
    run("refuses_what_is_wrong", refuses_what_is_wrong);
}
