/* What the tests of libvmstore.so share: a unit of their own, recordings, and counting. C11 and
 * POSIX. */
#ifndef VM_TESTS_LIBRARY_HARNESS_H
#define VM_TESTS_LIBRARY_HARNESS_H

#include "vmstore.h"

#include <stdio.h>
#include <string.h>

#define ROOT_SIZE 500
#define PATH_SIZE 700

extern char g_root[ROOT_SIZE];      /* of the unit of this test */
extern char g_recording[PATH_SIZE]; /* a WAV file of half a second */
extern char g_fax[PATH_SIZE];       /* a TIFF file of one page */

/* Runs one test, in a unit with mailboxes 101 and 102. */
void run(const char* name, void (*test)(void));
int closing_line(void);

/* A check that does not hold fails the test, which goes on. */
void check_at(int holds, const char* what, int line);
#define CHECK(condition) check_at((condition) != 0, #condition, __LINE__)
#define SAME(expected, actual) \
    check_at(strcmp((expected), (actual)) == 0, #actual " is " #expected, __LINE__)

/* The status of a call is `wanted`, and so is that in the error, which is then one line of text. */
void status_at(int wanted, int got, const struct vm_store_error* error, const char* call, int line);
#define STATUS(wanted, call) status_at((wanted), (call), &error, #call, __LINE__)
/* The error's text has `words` in it. */
#define SAYS(words) check_at(strstr(error.text, (words)) != NULL, error.text, __LINE__)

/* A shell command with the unit as $VM_ROOT and the programs in $PATH; 0: it went well. */
int shell(const char* format, ...);

void write_file(const char* path, const char* text);
int files_below(const char* directory);
int descriptors(void);
struct vm_store* opened(void);
/* A voice message for 101. */
struct vm_store_new a_message(void);
/* Adds it; "" when that failed. */
const char* added(struct vm_store* store, char* id);

struct vm_store_messages* list(struct vm_store* store, const char* mailbox, int deleted);
size_t count_all(struct vm_store* store); /* deleted ones too */
int64_t new_messages(struct vm_store* store, const char* mailbox);
int state_of(struct vm_store* store, const char* id);
struct vm_store_watch* watch_of(struct vm_store* store, const char* mailbox);
/* Waits as an event loop does, at the descriptor, and takes whatever is told then. */
void expect_told(struct vm_store_watch* watch, const char* mailbox);

/* Each runs the tests of its file. */
void test_adding(void);
void test_changes(void);
void test_watching(void);
void test_many_at_once(void);
void test_the_process(void);
void test_memory(void);

#endif
