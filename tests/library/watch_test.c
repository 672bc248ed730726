/* Waiting for change. */
#include "harness.h"

#include <signal.h>
#include <sys/time.h>

static void tells_of_changes(void) {
    struct vm_store* store = opened();
    struct vm_store_error error;
    char id[VM_STORE_ID_SIZE], told[VM_STORE_MAILBOX_SIZE] = "before";
    added(store, id);
    struct vm_store_watch *all = watch_of(store, NULL), *one = watch_of(store, "102");
    STATUS(VM_STORE_OK, vm_store_watch_next(all, 0, told, &error)); /* nothing since */
    SAME("", told);
    STATUS(VM_STORE_OK, vm_store_watch_next(all, 1, told, &error));
    SAME("", told);

    CHECK(shell("vmctl message mark %s --read", id) == 0); /* another process */
    expect_told(all, "101");
    CHECK(new_messages(store, "101") == 0); /* what is told of can be read */
    STATUS(VM_STORE_OK, vm_store_mark(store, id, VM_STORE_NEW, &error)); /* this one */
    STATUS(VM_STORE_OK, vm_store_watch_next(all, -1, told, &error));
    SAME("101", told);

    /* Several at once: each is told, and to a watch of one mailbox only that. */
    CHECK(shell("vmctl message add --mailbox 101 --kind voice --file '%s' > /dev/null &&"
                "vmctl message add --mailbox 102 --kind voice --file '%s' > /dev/null",
                g_recording, g_recording) == 0);
    int seen = 0;
    while (seen != 3) {
        STATUS(VM_STORE_OK, vm_store_watch_next(all, -1, told, &error));
        seen |= strcmp(told, "101") == 0 ? 1 : strcmp(told, "102") == 0 ? 2 : 4;
    }
    expect_told(one, "102");
    STATUS(VM_STORE_OK, vm_store_watch_next(one, 0, told, &error));
    SAME("", told);

    STATUS(VM_STORE_USAGE, vm_store_watch_next(NULL, 0, told, &error));
    STATUS(VM_STORE_USAGE, vm_store_watch_next(all, 0, NULL, &error));
    STATUS(VM_STORE_USAGE, vm_store_watch_next(all, -2, told, &error));
    CHECK(vm_store_watch_fd(NULL) == -1);
    vm_store_watch_close(one);
    vm_store_watch_close(NULL);
    STATUS(VM_STORE_NO_INPUT, vm_store_watch_open(store, "999", &one, &error));
    CHECK(one == NULL);
    STATUS(VM_STORE_USAGE, vm_store_watch_open(store, "x", &one, &error));
    STATUS(VM_STORE_USAGE, vm_store_watch_open(NULL, NULL, &one, &error));
    STATUS(VM_STORE_USAGE, vm_store_watch_open(store, NULL, NULL, &error));

    /* It outlives its store. */
    vm_store_close(store);
    CHECK(shell("vmctl message delete %s", id) == 0);
    expect_told(all, "101");
    vm_store_watch_close(all);
}

static volatile sig_atomic_t g_signals;
static void on_signal(int number) {
    (void)number;
    ++g_signals;
}

static void a_signal_ends_the_wait(void) {
    struct vm_store* store = opened();
    struct vm_store_watch* watch = watch_of(store, NULL);
    struct vm_store_error error;
    char told[VM_STORE_MAILBOX_SIZE];
    struct sigaction action = {.sa_handler = on_signal}, before;
    const struct itimerval often = {{0, 10000}, {0, 10000}}, never = {{0, 0}, {0, 0}};
    sigaction(SIGALRM, &action, &before);
    setitimer(ITIMER_REAL, &often, NULL);
    STATUS(VM_STORE_OK, vm_store_watch_next(watch, -1, told, &error));
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    SAME("", told);
    CHECK(g_signals > 0);
    vm_store_watch_close(watch);
    vm_store_close(store);
}

void test_watching(void) {
    run("tells_of_changes", tells_of_changes);
    run("a_signal_ends_the_wait", a_signal_ends_the_wait);
}
