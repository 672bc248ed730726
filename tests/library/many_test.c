/* Threads, processes that are killed, and forks. */
#include "harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kThreads = 8, kEach = 15 };

static void* add_and_change(void* context) {
    struct vm_store* store = context;
    struct vm_store_error error;
    for (int i = 0; i < kEach; ++i) {
        struct vm_store_new message = a_message();
        struct vm_store_messages* found = NULL;
        char id[VM_STORE_ID_SIZE], none[VM_STORE_ID_SIZE];
        STATUS(VM_STORE_OK, vm_store_add(store, &message, id, &error));
        STATUS(VM_STORE_OK, vm_store_get(store, id, &found, &error));
        SAME(id, found->messages[0]->id);
        vm_store_messages_free(found);
        if (i % 3 == 0) STATUS(VM_STORE_OK, vm_store_mark(store, id, VM_STORE_READ, &error));
        if (i % 5 == 0) vm_store_messages_free(list(store, "101", 1));
        message.mailbox = "999"; /* an error of one is not another's */
        STATUS(VM_STORE_NO_INPUT, vm_store_add(store, &message, none, &error));
    }
    return NULL;
}

static void* wait_for_all(void* context) {
    struct vm_store* store = context;
    struct vm_store_watch* watch = watch_of(store, "101");
    struct vm_store_counts counts = {.struct_size = sizeof counts};
    struct vm_store_error error;
    char told[VM_STORE_MAILBOX_SIZE];
    for (;;) {
        STATUS(VM_STORE_OK, vm_store_count(store, "101", &counts, &error));
        if (counts.old_messages == kThreads * kEach / 3 &&
            counts.new_messages == kThreads * kEach - kThreads * kEach / 3)
            break;
        STATUS(VM_STORE_OK, vm_store_watch_next(watch, -1, told, &error));
    }
    vm_store_watch_close(watch);
    return NULL;
}

static void is_for_many_threads(void) {
    struct vm_store* store = opened();
    pthread_t threads[kThreads], waiting;
    if (pthread_create(&waiting, NULL, wait_for_all, store) != 0) abort();
    for (int i = 0; i < kThreads; ++i)
        if (pthread_create(&threads[i], NULL, add_and_change, store) != 0) abort();
    for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
    pthread_join(waiting, NULL);
    CHECK(count_all(store) == kThreads * kEach);
    vm_store_close(store);
}

/* Adds until it is killed, and tells of each id when it has it. */
static void add_for_ever(int to) {
    struct vm_store* store = NULL;
    if (vm_store_open(g_root, &store, NULL) != VM_STORE_OK) _exit(1);
    for (;;) {
        char id[VM_STORE_ID_SIZE];
        const struct vm_store_new message = a_message();
        if (vm_store_add(store, &message, id, NULL) != VM_STORE_OK ||
            write(to, id, sizeof id) != (ssize_t)sizeof id)
            _exit(1);
    }
}

static void what_was_told_survives_a_kill(void) {
    for (int round = 0; round < 5; ++round) {
        int ends[2], status = 0;
        size_t told = 0;
        char ids[100][VM_STORE_ID_SIZE];
        if (pipe(ends) != 0) abort();
        const pid_t child = fork();
        if (child == 0) add_for_ever(ends[1]);
        close(ends[1]);
        while (told < 7 && read(ends[0], ids[told], sizeof ids[0]) == (ssize_t)sizeof ids[0])
            ++told;
        CHECK(told == 7);
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        CHECK(WIFSIGNALED(status));
        while (told < 100 && read(ends[0], ids[told], sizeof ids[0]) == (ssize_t)sizeof ids[0])
            ++told;
        close(ends[0]);

        struct vm_store* store = opened();
        struct vm_store_messages* found = list(store, "101", 0);
        /* One may have become durable before it could be told of. */
        CHECK(found->count == told || found->count == told + 1);
        for (size_t at = 0; at < told; ++at) {
            size_t in = 0;
            while (in < found->count && strcmp(found->messages[in]->id, ids[at]) != 0) ++in;
            CHECK(in < found->count && access(found->messages[in]->media, R_OK) == 0);
        }
        struct vm_store_error error;
        for (size_t at = 0; at < found->count; ++at) {
            CHECK(shell("cmp -s '%s' '%s'", g_recording, found->messages[at]->media) == 0);
            STATUS(VM_STORE_OK, vm_store_delete(store, found->messages[at]->id, &error));
        }
        vm_store_messages_free(found);
        vm_store_close(store);
    }
}

static void a_forked_child_is_refused(void) {
    struct vm_store *store = opened(), *another = NULL;
    struct vm_store_watch* watch = watch_of(store, NULL);
    struct vm_store_error error;
    char id[VM_STORE_ID_SIZE], told[VM_STORE_MAILBOX_SIZE];
    added(store, id);
    const pid_t child = fork();
    if (child == 0) {
        struct vm_store_messages* found = NULL;
        struct vm_store_watch* own = NULL;
        const int all = vm_store_list(store, NULL, &found, NULL) == VM_STORE_USAGE &&
                        vm_store_delete(store, id, NULL) == VM_STORE_USAGE &&
                        vm_store_watch_next(watch, -1, told, NULL) == VM_STORE_USAGE &&
                        vm_store_watch_open(store, NULL, &own, NULL) == VM_STORE_USAGE &&
                        vm_store_open(g_root, &another, &error) == VM_STORE_USAGE &&
                        strstr(error.text, "exec()") != NULL;
        vm_store_watch_close(watch);
        vm_store_close(store);
        _exit(all ? 0 : 1);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(shell("vmctl message mark %s --read", id) == 0);
    expect_told(watch, "101");
    CHECK(state_of(store, id) == VM_STORE_READ);
    vm_store_watch_close(watch);
    vm_store_close(store);
}

void test_many_at_once(void) {
    run("is_for_many_threads", is_for_many_threads);
    run("what_was_told_survives_a_kill", what_was_told_survives_a_kill);
    run("a_forked_child_is_refused", a_forked_child_is_refused);
}
