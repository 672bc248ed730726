/* Memory that is used up: whichever operator new of a call fails, the call says so, nothing was
 * done, and everything works afterwards. */
#include "harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* C++'s operators, in the place of libstdc++'s; what they are called is part of its ABI. */
_Noreturn void throw_bad_alloc(void) __asm__("_ZSt17__throw_bad_allocv");
void* new_or_throw(size_t size) __asm__("_Znwm");
void* new_or_null(size_t size, const void* nothrow) __asm__("_ZnwmRKSt9nothrow_t");
void delete_any(void* memory) __asm__("_ZdlPv");
void delete_sized(void* memory, size_t size) __asm__("_ZdlPvm");

static atomic_long g_left = -1; /* so many succeed yet; -1: all */
static atomic_int g_failed_once;

static int fails(void) {
    /* (Of several threads one gets the 0.) */
    if (atomic_load(&g_left) < 0 || atomic_fetch_sub(&g_left, 1) != 0) return 0;
    atomic_store(&g_failed_once, 1);
    return 1;
}

void* new_or_null(size_t size, const void* nothrow) {
    (void)nothrow;
    return fails() ? NULL : malloc(size == 0 ? 1 : size);
}

void* new_or_throw(size_t size) {
    void* memory = new_or_null(size, NULL);
    if (memory == NULL) throw_bad_alloc();
    return memory;
}

void delete_any(void* memory) {
    free(memory);
}

void delete_sized(void* memory, size_t size) {
    (void)size;
    free(memory);
}

static char g_id[VM_STORE_ID_SIZE]; /* of a message */

/* Something to be done: the status, and in `*done` whether it is to be seen that it was. */
typedef int (*operation)(struct vm_store* store, int* done, struct vm_store_error* error);

static int marks(struct vm_store* store, int* done, struct vm_store_error* error) {
    const long left = atomic_exchange(&g_left, -1);
    const int wanted =
        state_of(store, g_id) == VM_STORE_NEW ? VM_STORE_READ : VM_STORE_NEW;
    atomic_store(&g_left, left);
    const int status = vm_store_mark(store, g_id, wanted, error);
    atomic_store(&g_left, -1);
    *done = state_of(store, g_id) == wanted;
    return status;
}

static int adds(struct vm_store* store, int* done, struct vm_store_error* error) {
    char id[VM_STORE_ID_SIZE], media[PATH_SIZE * 2];
    const long left = atomic_exchange(&g_left, -1);
    const size_t before = count_all(store);
    snprintf(media, sizeof media, "%s/var/media", g_root);
    const int files = files_below(media);
    struct vm_store_new message = a_message();
    char origin[VM_STORE_ID_SIZE + 20];
    snprintf(origin, sizeof origin, "%zu at %ld", before, left);
    message.origin = origin;
    atomic_store(&g_left, left);
    const int status = vm_store_add(store, &message, id, error);
    atomic_store(&g_left, -1);
    const size_t now = count_all(store);
    *done = now == before + 1;
    CHECK(*done || now == before);
    CHECK((id[0] != '\0') == (status == VM_STORE_OK));
    /* (A copy that was begun may be left, as by a kill; it is removed later.) */
    CHECK(files_below(media) - files >= *done);
    return status;
}

static int counts(struct vm_store* store, int* done, struct vm_store_error* error) {
    struct vm_store_counts counts = {.struct_size = sizeof counts};
    const int status = vm_store_count(store, "101", &counts, error);
    *done = counts.new_messages + counts.old_messages > 0;
    return status;
}

static int lists(struct vm_store* store, int* done, struct vm_store_error* error) {
    struct vm_store_messages* found = NULL;
    const int status = vm_store_list(store, NULL, &found, error);
    *done = found != NULL && found->count > 0;
    vm_store_messages_free(found);
    return status;
}

static int watches(struct vm_store* store, int* done, struct vm_store_error* error) {
    char changed[VM_STORE_MAILBOX_SIZE];
    struct vm_store_watch* watch = NULL;
    int status = vm_store_watch_open(store, NULL, &watch, error);
    *done = watch != NULL;
    if (status == VM_STORE_OK) status = vm_store_watch_next(watch, 0, changed, error);
    if (*done) *done = status == VM_STORE_OK;
    vm_store_watch_close(watch);
    return status;
}

static int opens(struct vm_store* store, int* done, struct vm_store_error* error) {
    struct vm_store* another = NULL;
    (void)store;
    const int status = vm_store_open(g_root, &another, error);
    *done = another != NULL;
    vm_store_close(another);
    return status;
}

/* More of them than there are sessions to read by. */
static void expect_all_works(struct vm_store* store) {
    struct vm_store_error error;
    for (int i = 0; i < 2; ++i) {
        STATUS(VM_STORE_OK, vm_store_urgent(store, g_id, i, &error));
        CHECK(new_messages(store, "102") == 0);
    }
}

static void survives(operation does, int warm) {
    for (long at = warm;; at += 5) {
        struct vm_store_error error;
        struct vm_store* store = opened();
        int done = 0;
        if (warm) expect_all_works(store);
        atomic_store(&g_failed_once, 0);
        atomic_store(&g_left, at);
        const int status = does(store, &done, &error);
        atomic_store(&g_left, -1);
        if (status != VM_STORE_OK) STATUS(VM_STORE_UNAVAILABLE, status);
        CHECK(done == (status == VM_STORE_OK));
        expect_all_works(store);
        vm_store_close(store);
        if (!atomic_load(&g_failed_once)) break;
    }
}

static void each_call_survives(void) {
    static const operation kAll[] = {marks, counts, lists, watches, opens, adds};
    struct vm_store* store = opened();
    added(store, g_id);
    vm_store_close(store);
    for (size_t i = 0; i < sizeof kAll / sizeof *kAll; ++i)
        for (int warm = 0; warm < 2; ++warm) survives(kAll[i], warm);
}

static void* marks_often(void* store) {
    for (int i = 0; i < 20; ++i) {
        struct vm_store_error error;
        const int status = vm_store_urgent(store, g_id, i % 2, &error);
        CHECK(status == VM_STORE_OK || status == VM_STORE_UNAVAILABLE);
    }
    return NULL;
}

/* What fails for one of many who write together ends the waiting of all. */
static void threads_survive(void) {
    enum { kThreads = 8 };
    struct vm_store* store = opened();
    added(store, g_id);
    for (long at = 0; at < 500; at += 25) {
        pthread_t threads[kThreads];
        atomic_store(&g_left, at);
        for (int i = 0; i < kThreads; ++i)
            CHECK(pthread_create(&threads[i], NULL, marks_often, store) == 0);
        for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
        atomic_store(&g_left, -1);
        expect_all_works(store);
    }
    vm_store_close(store);
}

void test_memory(void) {
    run("each_call_survives_memory_that_is_used_up", each_call_survives);
    run("threads_survive_memory_that_is_used_up", threads_survive);
}
