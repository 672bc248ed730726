/* What there is, and what changes it. */
#include "harness.h"

static void changes_messages(void) {
    static const char* const kNone = "01KAM8Q3V5X6Y7Z8A9B0C1D2E3";
    struct vm_store* store = opened();
    struct vm_store_error error;
    char id[VM_STORE_ID_SIZE], long_name[200];
    added(store, id);
    STATUS(VM_STORE_OK, vm_store_mark(store, id, VM_STORE_READ, &error));
    STATUS(VM_STORE_OK, vm_store_mark(store, id, VM_STORE_READ, &error)); /* done already */
    CHECK(state_of(store, id) == VM_STORE_READ);
    STATUS(VM_STORE_OK, vm_store_mark(store, id, VM_STORE_NEW, &error));
    STATUS(VM_STORE_OK, vm_store_urgent(store, id, 1, &error));
    STATUS(VM_STORE_OK, vm_store_move(store, id, "Saved/2026", &error));
    struct vm_store_messages* found = list(store, "101", 0);
    CHECK(found->count == 1 && found->messages[0]->urgent == 1);
    SAME("Saved/2026", found->messages[0]->folder);
    vm_store_messages_free(found);
    STATUS(VM_STORE_OK, vm_store_retry(store, id, &error)); /* it was off */
    CHECK(shell("vmctl message show %s --json | grep -q queued", id) == 0);
    STATUS(VM_STORE_OK, vm_store_delete(store, id, &error));
    CHECK(state_of(store, id) == VM_STORE_DELETED);
    STATUS(VM_STORE_DATA, vm_store_mark(store, id, VM_STORE_READ, &error));
    SAYS("restore");
    STATUS(VM_STORE_DATA, vm_store_urgent(store, id, 0, &error));
    STATUS(VM_STORE_DATA, vm_store_move(store, id, "INBOX", &error));
    STATUS(VM_STORE_DATA, vm_store_retry(store, id, &error));
    found = list(store, "101", 0);
    CHECK(found->count == 0);
    vm_store_messages_free(found);
    STATUS(VM_STORE_OK, vm_store_restore(store, id, &error));
    CHECK(state_of(store, id) == VM_STORE_NEW);

    STATUS(VM_STORE_USAGE, vm_store_mark(store, id, VM_STORE_DELETED, &error));
    STATUS(VM_STORE_USAGE, vm_store_mark(store, id, 77, &error));
    STATUS(VM_STORE_USAGE, vm_store_urgent(store, id, 2, &error));
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    const char* const bad_names[] = {NULL, "", "/", "a\tb", "\xFF", long_name};
    for (size_t at = 0; at < sizeof bad_names / sizeof *bad_names; ++at)
        STATUS(VM_STORE_USAGE, vm_store_move(store, id, bad_names[at], &error));
    STATUS(VM_STORE_NO_INPUT, vm_store_mark(store, kNone, VM_STORE_READ, &error));
    STATUS(VM_STORE_NO_INPUT, vm_store_urgent(store, kNone, 1, &error));
    STATUS(VM_STORE_NO_INPUT, vm_store_move(store, kNone, "INBOX", &error));
    STATUS(VM_STORE_NO_INPUT, vm_store_delete(store, "' OR 1 = 1 --", &error));
    STATUS(VM_STORE_NO_INPUT, vm_store_restore(store, "\xC3\x28\n", &error));
    STATUS(VM_STORE_NO_INPUT, vm_store_retry(store, kNone, &error));
    STATUS(VM_STORE_USAGE, vm_store_delete(store, NULL, &error));
    STATUS(VM_STORE_USAGE, vm_store_restore(NULL, id, &error));
    CHECK(vm_store_retry(NULL, NULL, NULL) == VM_STORE_USAGE);
    vm_store_close(store);
}

static void lists_and_counts(void) {
    struct vm_store* store = opened();
    struct vm_store_error error;
    struct vm_store_messages* found = NULL;
    struct vm_store_query query = {.struct_size = sizeof query};
    struct vm_store_counts counts = {.struct_size = sizeof counts};
    struct vm_store_new message = a_message();
    char first[VM_STORE_ID_SIZE], second[VM_STORE_ID_SIZE], other[VM_STORE_ID_SIZE];
    message.received = 2000;
    STATUS(VM_STORE_OK, vm_store_add(store, &message, second, &error));
    message.received = 1000;
    STATUS(VM_STORE_OK, vm_store_add(store, &message, first, &error));
    message.mailbox = "102";
    STATUS(VM_STORE_OK, vm_store_add(store, &message, other, &error));
    STATUS(VM_STORE_OK, vm_store_mark(store, first, VM_STORE_READ, &error));
    STATUS(VM_STORE_OK, vm_store_move(store, second, "Saved", &error));

    STATUS(VM_STORE_OK, vm_store_list(store, NULL, &found, &error));
    CHECK(found->count == 3);
    vm_store_messages_free(found);
    query.mailbox = "101";
    STATUS(VM_STORE_OK, vm_store_list(store, &query, &found, &error));
    CHECK(found->count == 2); /* oldest first */
    SAME(first, found->messages[0]->id);
    SAME(second, found->messages[1]->id);
    vm_store_messages_free(found);
    query.folder = "Saved";
    STATUS(VM_STORE_OK, vm_store_list(store, &query, &found, &error));
    CHECK(found->count == 1);
    vm_store_messages_free(found);
    STATUS(VM_STORE_OK, vm_store_count(store, "101", &counts, &error));
    CHECK(counts.new_messages == 1 && counts.old_messages == 1);

    /* Nothing there is no error; no mailbox is. */
    STATUS(VM_STORE_OK, vm_store_delete(store, other, &error));
    STATUS(VM_STORE_OK, vm_store_count(store, "102", &counts, &error));
    CHECK(counts.new_messages == 0 && counts.old_messages == 0);
    STATUS(VM_STORE_NO_INPUT, vm_store_count(store, "999", &counts, &error));
    STATUS(VM_STORE_USAGE, vm_store_count(store, "../1", &counts, &error));
    STATUS(VM_STORE_USAGE, vm_store_count(store, NULL, &counts, &error));
    STATUS(VM_STORE_USAGE, vm_store_count(store, "101", NULL, &error));
    counts.struct_size = 0;
    STATUS(VM_STORE_USAGE, vm_store_count(store, "101", &counts, &error));
    query.mailbox = "999";
    STATUS(VM_STORE_NO_INPUT, vm_store_list(store, &query, &found, &error));
    CHECK(found == NULL);
    query.mailbox = "";
    STATUS(VM_STORE_USAGE, vm_store_list(store, &query, &found, &error));
    query.mailbox = "101";
    query.deleted = 2;
    STATUS(VM_STORE_USAGE, vm_store_list(store, &query, &found, &error));
    query.struct_size = 3;
    STATUS(VM_STORE_USAGE, vm_store_list(store, &query, &found, &error));
    STATUS(VM_STORE_USAGE, vm_store_list(store, NULL, NULL, &error));
    STATUS(VM_STORE_USAGE, vm_store_list(NULL, NULL, &found, &error));
    STATUS(VM_STORE_NO_INPUT, vm_store_get(store, "none", &found, &error));
    CHECK(found == NULL);
    STATUS(VM_STORE_USAGE, vm_store_get(store, "", &found, &error));
    STATUS(VM_STORE_USAGE, vm_store_get(store, first, NULL, &error));
    vm_store_messages_free(NULL);

    /* A list outlives its store. */
    STATUS(VM_STORE_OK, vm_store_get(store, first, &found, &error));
    vm_store_close(store);
    SAME(first, found->messages[0]->id);
    vm_store_messages_free(found);
}

void test_changes(void) {
    run("changes_messages", changes_messages);
    run("lists_and_counts", lists_and_counts);
}
