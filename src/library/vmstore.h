/* vmstore.h - the messages of the voice-mail unit, for firmware, without starting processes.
 *
 * This header is the whole contract and the manual; see also vmstore(3) and vmemail-firmware(7). It
 * compiles as C11 and as C++20. Link with -lvmstore (pkg-config vmstore).
 *
 * WHAT IT DOES
 *   What `vmctl message ...` does, to the same store, at the same time as vmctl, the agent and
 *   other processes; with a running agent, which is told of each change at once, or without one.
 *   What a function reported as done is durable: it survives kill -9 and loss of power. So is a
 *   message whose id was given; of a message whose adding failed nothing is left. Who was killed
 *   before the id came does not know: with `origin` the message can be added again, and comes
 *   once.
 *
 * ORDER OF CALLS
 *   vm_store_open; then any of the others, from any thread; vm_store_close. What a function gave
 *   out is freed by the function its description names, with NULL doing nothing.
 *
 * OWNERSHIP
 *   What the caller passes is the caller's, and looked at during the call only. What is given
 *   out (a store, a watch, a list) is the caller's to free, and independent of later calls.
 *
 * TEXT AND TIME
 *   Texts end with a NUL and are UTF-8; times are milliseconds since 1970-01-01 UTC. A mailbox
 *   is its number, 1 to 8 digits, as text: "7" and "007" are two mailboxes.
 *
 * STRUCTURES
 *   What may grow within one VM_STORE_ABI begins with struct_size, which its owner sets to
 *   sizeof; fields are only ever added at the end, and 0 and NULL in them always mean what this
 *   version does. Of a structure that the caller made nothing beyond its struct_size is read or
 *   written. One that is larger than the library's is taken when what is beyond is zero.
 *   VM_STORE_ABI is part of the library's soname: what was linked with one never meets another.
 *
 * ERRORS
 *   Every function that can fail returns VM_STORE_OK or why not, by what must be done about it:
 *   the statuses of sysexits(3), as vmctl exits with. Through `error`, which may be NULL, it
 *   says more: one line for a person, without control characters and without secrets, which
 *   names what was done, to what, the reason, and often what to do next. On success the text is
 *   "", or a note that the function's description tells of. On an error what would have been
 *   given out is NULL or "". NULL where something is needed, a structure that is too small and a
 *   value that does not exist are VM_STORE_USAGE. No C++ exception leaves the library.
 *
 * THREADS
 *   Any function may be called by any number of threads at once, with the same store. What
 *   threads write at the same time is committed together. A call may wait for the disk; and for the
 *   lock of another process that writes, for ten seconds at most (VM_STORE_UNAVAILABLE: nothing
 *   was done, try again). No thread is started, and pthread_cancel() waits for the end of the
 *   call. A watch may be used by many threads, and a change is told to one of them. Who frees or
 *   closes something makes sure that nobody uses it any more.
 *
 * FORK
 *   A child process must not use a store that was opened before fork(), nor open another while
 *   its parent had one open, as the locks on the database are not inherited: both are
 *   VM_STORE_USAGE, and closing in the child does nothing. exec() ends this; descriptors are
 *   closed by it.
 *
 * THE PROCESS IT LIVES IN
 *   It installs no signal handler, changes neither locale nor environment nor working directory,
 *   writes to no standard stream and does not exit. The environment is read by vm_store_open()
 *   only. It uses SQLite as the process has it, which must not have switched off its mutexes,
 *   and stays loaded once it is. The process must not open the files of var/vm.db by other means
 *   than SQLite: closing them would drop the locks. After an upgrade of vmemail the process goes
 *   on with what it has loaded; start it anew soon.
 *
 * WHO IT RUNS AS
 *   The user to whom the unit belongs. Unlike the programs, the library does not become that
 *   user when root calls it: that is VM_STORE_PERMISSION. Files to be added are read as who
 *   calls.
 */
#ifndef VMSTORE_H
#define VMSTORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VM_STORE_ABI 1
#define VM_STORE_API __attribute__((visibility("default")))

/* What functions return, as in sysexits(3). */
enum vm_store_status {
    VM_STORE_OK = 0,
    VM_STORE_USAGE = 64,       /* the call is wrong: an argument, or in a child after fork() */
    VM_STORE_DATA = 65,        /* this cannot be done to this message, or its file is damaged */
    VM_STORE_NO_INPUT = 66,    /* there is no such message, mailbox, file or unit */
    VM_STORE_UNAVAILABLE = 69, /* the disk is full, the store locked, memory used up */
    VM_STORE_LATER = 75,       /* not now; try again */
    VM_STORE_PERMISSION = 77,  /* not as this user */
    VM_STORE_CONFIG = 78       /* the installation is wrong: incomplete, or of two versions */
};

/* May be uninitialised; it does not grow. */
struct vm_store_error {
    int status; /* what the function returned */
    char text[1020];
};

#define VM_STORE_ID_SIZE 27     /* a message's id and its NUL */
#define VM_STORE_MAILBOX_SIZE 9 /* a mailbox's number and its NUL */

enum vm_store_kind {
    VM_STORE_VOICE = 1,
    VM_STORE_FAX = 2,
    VM_STORE_EMAIL = 3 /* somebody's mail, to be heard; its media file is text */
};

enum vm_store_state { VM_STORE_NEW = 1, VM_STORE_READ = 2, VM_STORE_DELETED = 3 };

/* How far the message has come on its way to the subscriber's mail account. */
enum vm_store_delivery {
    VM_STORE_OFF = 1, /* it is not sent; last_reply says why */
    VM_STORE_QUEUED = 2,
    VM_STORE_SENDING = 3,
    VM_STORE_SENT = 4,
    VM_STORE_DEFERRED = 5,
    VM_STORE_FAILED = 6,
    VM_STORE_UNCERTAIN = 7 /* it may have arrived */
};

struct vm_store;
struct vm_store_watch;

/* Opens the unit below `root`; NULL or "": below $VM_ROOT, else /usr/local/vm. Brings the store up
 * to date when it was written by an older version. VM_STORE_NO_INPUT: there is no unit (vmconfig
 * init); VM_STORE_CONFIG: the store is a newer version's, or libvmcontent.so, which checks
 * recordings, is not where the library is installed. A process needs one store, and may have
 * several. */
VM_STORE_API int vm_store_open(const char* root, struct vm_store** store,
                               struct vm_store_error* error);

/* Watches and lists go on being valid. */
VM_STORE_API void vm_store_close(struct vm_store* store);

/* ---- a new message ---- */

struct vm_store_new {
    size_t struct_size;
    const char* mailbox;
    int kind;                  /* VM_STORE_VOICE: a WAV file; VM_STORE_FAX: a TIFF file */
    const char* file;          /* copied and checked; the caller's to remove */
    const char* caller_number; /* as signalled; NULL: not known */
    const char* caller_name;
    int64_t received; /* when it was taken, 0: now */
    int urgent, is_private;
    /* What its source calls the message, 1 to 250 bytes, unique in the unit for ever, such as the
     * line, the time and a counter; never a file name that is used again. NULL: nothing. A second
     * message with the same origin is not stored: the first one's id is given, even when that was
     * deleted since. In another mailbox the same origin is VM_STORE_USAGE. */
    const char* origin;
};

/* Stores a message; when it returns VM_STORE_OK, it is durable, `id` (of VM_STORE_ID_SIZE bytes) is
 * its id, and the file may go. `error` holds a note when it was stored all the same, though the
 * mailbox's options cannot be used. VM_STORE_NO_INPUT: no such mailbox or file; VM_STORE_DATA: the
 * file is damaged, or of another format; VM_STORE_UNAVAILABLE: no room. */
VM_STORE_API int vm_store_add(struct vm_store* store, const struct vm_store_new* message, char* id,
                              struct vm_store_error* error);

/* ---- what there is ---- */

/* Belongs to the list it is in. No text is NULL. */
struct vm_store_message {
    size_t struct_size;
    const char* id;
    const char* mailbox;
    int kind;           /* enum vm_store_kind */
    int state;          /* enum vm_store_state */
    const char* folder; /* "INBOX" for a new one */
    int urgent, is_private;
    const char* caller_number;
    const char* caller_name; /* VM_STORE_EMAIL: the sender's */
    const char* sender;      /* VM_STORE_EMAIL: address; else "" */
    const char* subject;     /* VM_STORE_EMAIL; else "" */
    const char* origin;      /* "": it has none */
    int64_t received;        /* when it was taken */
    int64_t created;         /* when it was stored */
    int64_t deleted;         /* when it was deleted; 0: it is not */
    int64_t duration_ms;     /* VM_STORE_VOICE */
    int pages;               /* VM_STORE_FAX */
    const char* media;       /* path of the recording, fax or text, to be read only */
    int64_t size;            /* its bytes */
    int delivery;            /* enum vm_store_delivery */
    int attempts;
    const char* last_reply; /* the server's words about the last attempt, or why there is none */
};

struct vm_store_messages {
    size_t count;
    const struct vm_store_message* const* messages;
};

struct vm_store_query {
    size_t struct_size;
    int deleted;         /* 1: deleted ones too */
    const char* mailbox; /* NULL: all */
    const char* folder;  /* NULL: any */
};

/* The messages of `query` (NULL: all that are not deleted), by time of reception, oldest first.
 * VM_STORE_NO_INPUT: there is no such mailbox. Freed by vm_store_messages_free(). */
VM_STORE_API int vm_store_list(struct vm_store* store, const struct vm_store_query* query,
                               struct vm_store_messages** list, struct vm_store_error* error);

/* One message, also a deleted one, as a list of one. VM_STORE_NO_INPUT: there is none, or it was
 * deleted so long ago that it was removed for good. */
VM_STORE_API int vm_store_get(struct vm_store* store, const char* id,
                              struct vm_store_messages** list, struct vm_store_error* error);

VM_STORE_API void vm_store_messages_free(struct vm_store_messages* list);

/* Of the messages that are not deleted, without e-mails: what the lamp shows. */
struct vm_store_counts {
    size_t struct_size; /* set by the caller */
    int64_t new_messages, old_messages;
};

/* VM_STORE_NO_INPUT: there is no such mailbox. */
VM_STORE_API int vm_store_count(struct vm_store* store, const char* mailbox,
                                struct vm_store_counts* counts, struct vm_store_error* error);

/* ---- changes ----
 * VM_STORE_NO_INPUT: there is no such message. Doing what is done already succeeds, and changes
 * nothing. VM_STORE_DATA, but for delete and restore: the message is deleted. */

/* It was heard (VM_STORE_READ), or is new again (VM_STORE_NEW). */
VM_STORE_API int vm_store_mark(struct vm_store* store, const char* id, int state,
                               struct vm_store_error* error);
/* `urgent` is 0 or 1. */
VM_STORE_API int vm_store_urgent(struct vm_store* store, const char* id, int urgent,
                                 struct vm_store_error* error);
/* To a folder of the unit: 1 to 100 bytes without control characters, not beginning or ending with
 * a space or slash; else VM_STORE_USAGE. Slashes part the levels of a hierarchy. */
VM_STORE_API int vm_store_move(struct vm_store* store, const char* id, const char* folder,
                               struct vm_store_error* error);
/* The message stays for the mailbox's Deleted Retention, until when it can be restored. */
VM_STORE_API int vm_store_delete(struct vm_store* store, const char* id,
                                 struct vm_store_error* error);
VM_STORE_API int vm_store_restore(struct vm_store* store, const char* id,
                                  struct vm_store_error* error);
/* Its delivery is due at once, with a new timeout. VM_STORE_DATA too when it was sent, is being
 * sent, or is an e-mail. */
VM_STORE_API int vm_store_retry(struct vm_store* store, const char* id,
                                struct vm_store_error* error);

/* ---- waiting for change ---- */

/* Tells whose messages change from now on, whoever changes them: this process, vmctl, the agent on
 * behalf of the mail account. Additions and changes of state, folder and urgency are told, how far
 * a delivery has come is not. With `mailbox`, of that one only; NULL: of all. Open it before the
 * first vm_store_count(), and no change is missed. Freed by vm_store_watch_close(). */
VM_STORE_API int vm_store_watch_open(struct vm_store* store, const char* mailbox,
                                     struct vm_store_watch** watch, struct vm_store_error* error);

/* A descriptor for poll() and its like, which belongs to the watch: readable when it is time to ask
 * vm_store_watch_next() until it gives "". It is readable once a second at least, not only when
 * there is a change. */
VM_STORE_API int vm_store_watch_fd(const struct vm_store_watch* watch);

/* Gives, in `mailbox` (of VM_STORE_MAILBOX_SIZE bytes), one mailbox whose messages changed since it
 * was told last; waits for that up to `timeout_ms`, 0: not at all, -1: for as long as it takes.
 * Gives "" and VM_STORE_OK when there is none, and when a signal was handled meanwhile. Of many
 * changes of one mailbox in between it tells once. */
VM_STORE_API int vm_store_watch_next(struct vm_store_watch* watch, int timeout_ms, char* mailbox,
                                     struct vm_store_error* error);

VM_STORE_API void vm_store_watch_close(struct vm_store_watch* watch);

#ifdef __cplusplus
}
#endif

#endif
