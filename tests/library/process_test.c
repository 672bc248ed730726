/* What the library leaves alone in the process it lives in. */
#include "harness.h"

#include <sqlite3.h>
#include <tiffio.h>

#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void handle_nothing(const char* module, const char* format, va_list arguments) {
    (void)module, (void)format, (void)arguments;
}

static void leaves_the_process_alone(void) {
    extern char** environ;
    struct sigaction before[NSIG], after;
    char directory[PATH_SIZE], now[PATH_SIZE];
    const char* const locale = setlocale(LC_ALL, NULL);
    char id[VM_STORE_ID_SIZE];
    struct vm_store_error error;
    struct vm_store* first = opened(); /* what is loaded stays loaded */
    struct vm_store_new fax = a_message();
    fax.kind = VM_STORE_FAX;
    fax.file = g_fax;
    STATUS(VM_STORE_OK, vm_store_add(first, &fax, id, &error));
    vm_store_close(first);

    memset(before, 0, sizeof before);
    for (int number = 1; number < NSIG; ++number) sigaction(number, NULL, &before[number]);
    if (getcwd(directory, sizeof directory) == NULL) abort();
    char** const environment = environ;
    const int open_before = descriptors();
    TIFFErrorHandler handler = TIFFSetErrorHandler(handle_nothing);

    struct vm_store* store = opened();
    struct vm_store_watch* watch = watch_of(store, NULL);
    STATUS(VM_STORE_OK, vm_store_add(store, &fax, id, &error));
    fax.file = g_recording;
    STATUS(VM_STORE_DATA, vm_store_add(store, &fax, id, &error));
    vm_store_watch_close(watch);
    vm_store_close(store);

    CHECK(TIFFSetErrorHandler(handler) == handle_nothing);
    CHECK(descriptors() == open_before);
    CHECK(environ == environment);
    SAME(directory, getcwd(now, sizeof now));
    SAME(locale, setlocale(LC_ALL, NULL));
    for (int number = 1; number < NSIG; ++number) {
        memset(&after, 0, sizeof after);
        if (sigaction(number, NULL, &after) == 0)
            CHECK(after.sa_handler == before[number].sa_handler);
    }
    /* SQLite's own locks, which a host of many threads may rely on. */
    sqlite3* database = NULL;
    CHECK(sqlite3_open(":memory:", &database) == SQLITE_OK && sqlite3_db_mutex(database) != NULL);
    sqlite3_close(database);
}

static void* wait_to_be_cancelled(void* context) {
    struct vm_store_watch* watch = context;
    char told[VM_STORE_MAILBOX_SIZE];
    for (;;) {
        vm_store_watch_next(watch, 10, told, NULL);
        pthread_testcancel();
    }
    return NULL;
}

static void a_cancelled_thread_leaves_no_lock(void) {
    struct vm_store* store = opened();
    struct vm_store_watch* watch = watch_of(store, NULL);
    pthread_t thread;
    void* end = NULL;
    char id[VM_STORE_ID_SIZE];
    if (pthread_create(&thread, NULL, wait_to_be_cancelled, watch) != 0) abort();
    CHECK(pthread_cancel(thread) == 0);
    CHECK(pthread_join(thread, &end) == 0 && end == PTHREAD_CANCELED);
    added(store, id);
    expect_told(watch, "101");
    vm_store_watch_close(watch);
    vm_store_close(store);
}

void test_the_process(void) {
    run("leaves_the_process_alone", leaves_the_process_alone);
    run("a_cancelled_thread_leaves_no_lock", a_cancelled_thread_leaves_no_lock);
}
