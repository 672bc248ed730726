/* What firmware does with libvmstore, in one page: stores a recording, and keeps the mailbox's lamp
 * until the subscriber has heard everything, at the phone or by mail.
 *
 *   cc -std=c11 -o vmstore-example vmstore-example.c $(pkg-config --cflags --libs vmstore)
 *   ./vmstore-example 101 /tmp/rec.wav 5551234 line3/2026-11-23T09:15:02Z/17
 *
 * It is to run as the user to whom the unit belongs; see vmemail-firmware(7). */
#include <stdio.h>
#include <vmstore.h>

/* The lamp of one mailbox; 1 while it is lit, -1 when that cannot be told. */
static int show_lamp(struct vm_store* store, const char* mailbox, struct vm_store_error* error) {
    struct vm_store_counts counts = {.struct_size = sizeof counts};
    if (vm_store_count(store, mailbox, &counts, error) != VM_STORE_OK) return -1;
    printf("mailbox %s: lamp %s, %lld new, %lld old\n", mailbox,
           counts.new_messages > 0 ? "on" : "off", (long long)counts.new_messages,
           (long long)counts.old_messages);
    fflush(stdout);
    return counts.new_messages > 0;
}

static int keep_lamp(struct vm_store* store, struct vm_store_watch* watch, const char* mailbox,
                     struct vm_store_error* error) {
    char changed[VM_STORE_MAILBOX_SIZE];
    int lit;
    while ((lit = show_lamp(store, mailbox, error)) == 1) {
        /* A firmware with an event loop polls vm_store_watch_fd(watch), and asks with timeout 0
         * then. */
        do {
            if (vm_store_watch_next(watch, -1, changed, error) != VM_STORE_OK) return error->status;
        } while (changed[0] == '\0');
    }
    return lit == 0 ? VM_STORE_OK : error->status;
}

static int add(struct vm_store* store, const struct vm_store_new* message,
               struct vm_store_error* error) {
    char id[VM_STORE_ID_SIZE];
    const int status = vm_store_add(store, message, id, error);
    /* From here on the message cannot be lost: the file it came from may go. */
    if (status == VM_STORE_OK) printf("stored as %s\n", id);
    if (status == VM_STORE_OK && error->text[0] != '\0') fprintf(stderr, "note: %s\n", error->text);
    return status;
}

int main(int argc, char** argv) {
    struct vm_store* store = NULL;
    struct vm_store_watch* watch = NULL;
    struct vm_store_error error;
    if (argc < 3) {
        fprintf(stderr, "usage: vmstore-example MAILBOX FILE.wav [CALLER [ORIGIN]]\n");
        return VM_STORE_USAGE;
    }
    const struct vm_store_new message = {.struct_size = sizeof message,
                                         .mailbox = argv[1],
                                         .kind = VM_STORE_VOICE,
                                         .file = argv[2],
                                         .caller_number = argc > 3 ? argv[3] : NULL,
                                         /* What no other recording is ever called: who was
                                          * killed before the id came calls again with it, and
                                          * the message comes once. The file's name would be no
                                          * such thing: the next recording may have it, too. */
                                         .origin = argc > 4 ? argv[4] : NULL};
    /* The watch comes first: what happens from here on is told. */
    int status = vm_store_open(NULL, &store, &error);
    if (status == VM_STORE_OK) status = vm_store_watch_open(store, argv[1], &watch, &error);
    if (status == VM_STORE_OK) status = add(store, &message, &error);
    if (status == VM_STORE_OK) status = keep_lamp(store, watch, argv[1], &error);
    if (status != VM_STORE_OK) fprintf(stderr, "vmstore-example: %s\n", error.text);
    vm_store_watch_close(watch);
    vm_store_close(store);
    return status;
}
