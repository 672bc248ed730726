/* vm_transport.h - how a transport plugin talks to the voice-mail unit.
 *
 * This header is the whole contract and the plugin writer's manual; see also vm-transport(3). It
 * compiles as C11 and as C++20. A plugin is one shared library that exports one symbol:
 *
 *     const struct vm_transport *vm_transport_entry(const struct vm_host *host);
 *
 * CALL ORDER
 *   dlopen; vm_transport_entry once per process; then any number of sessions:
 *   open -> push ... (account functions ...) -> close. The library is never unloaded.
 *
 * VERSIONS
 *   The host refuses a plugin whose abi_version differs from VM_TRANSPORT_ABI, naming both, and one
 *   whose struct_size is smaller than the host's. A plugin returns NULL when the host's abi_version
 *   is not its own. Every struct that crosses the border has struct_size, set by its owner to
 * sizeof; fields are only ever added at the end within one version, and never to a struct that lies
 * inside another (vm_endpoint). Of a report or result a plugin writes no more than its struct_size.
 * A plugin refuses options that are smaller than its own (open).
 *
 * OWNERSHIP
 *   What the caller passes belongs to the caller and is valid for the call, except vm_host (valid
 * for the life of the process). Options are copied by open() if the plugin needs them later. A
 * report belongs to the caller and is filled by the plugin; it holds no pointers.
 *
 * THREADS  (tags: [any] any thread, any time; [session] by one thread at a time per session)
 *   Sessions are independent of each other and share nothing the host can see. A plugin starts no
 *   thread of its own, installs no signal handler and changes no process-wide state (locale,
 *   environment, working directory).
 *
 * ERRORS
 *   No C++ exception may leave the plugin. A function reports facts - how far the dialogue came,
 * what the server said - and never decides what they mean: retry, give up and search are the
 * host's. Text is one line without control characters and without secrets; bytes above 127 as the
 * server sent them. The host checks every report: one that makes no sense (success without a final
 * dot, a value not listed here, text without its NUL) counts as "nobody knows what happened".
 *
 * SECRETS
 *   A password or token goes over a connection whose certificate was checked, or
 *   vm_options.allow_cleartext_password is set; else the push ends with VM_CAUSE_CONFIG at
 * VM_STEP_AUTH before there is a connection. This holds for every mechanism, CRAM-MD5 included:
 * what crosses an open line lets the password be guessed at leisure. A token that the server
 * refused may be replaced (vm_host.token), once a login. Authentication that was asked for and
 * cannot be had ends the push the same way; a message is never sent without it.
 *
 * WAITING
 *   Every function returns within the timeouts of the options. The plugin asks host->cancelled() at
 *   least once a second while it waits, and when it answers non-zero returns soon; but a message
 * whose final dot was sent is first waited for, as its reply is the only proof.
 */
#ifndef VM_TRANSPORT_H
#define VM_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VM_TRANSPORT_ABI 1
#define VM_TRANSPORT_ENTRY "vm_transport_entry"

/* What the host offers. All functions [any]. */
struct vm_host {
    uint32_t abi_version; /* VM_TRANSPORT_ABI of the host */
    uint32_t struct_size;
    void* context; /* first argument of the functions below */
    /* One line of the protocol dialogue or a note, for the trace. Secrets are to be replaced by the
     * plugin before it calls. `session_context` is vm_options.context. */
    void (*trace)(void* context, void* session_context, const char* line);
    /* Non-zero: stop soon. */
    int (*cancelled)(void* context, void* session_context);
    /* Zero: whatever is traced now is thrown away, so that the plugin need not make it. NULL: it is
     * always wanted. */
    int (*traces)(void* context);
    /* A bearer token for a login of this session now: of an endpoint with VM_AUTH_XOAUTH2 or
     * VM_AUTH_OAUTHBEARER and no password. To be asked before each connection, as tokens live for
     * an hour or so. `refused`: NULL, or the token that the server has just refused: another one is
     * wanted. Returns VM_OK with the token; VM_FAILED with the reason, one line for a person, which
     * ends the attempt with VM_CAUSE_CONFIG at VM_STEP_AUTH. May take half a minute. The plugin
     * clears its copy. [session] */
    int (*token)(void* context, void* session_context, const char* refused, char* token,
                 size_t token_size, char* error, size_t error_size);
};

/* The longest token, with its NUL: what an AUTH command can hold (RFC 4954 section 4). */
#define VM_TOKEN_SIZE 8192

/* How TLS is used (Smtp SSL, Imap4 SSL, Pop3 SSL). */
enum vm_tls {
    VM_TLS_OPPORTUNISTIC = 0, /* No: STARTTLS when offered, certificate not checked (RFC 7435) */
    VM_TLS_IMPLICIT = 1,      /* Yes: TLS from the first byte, certificate checked */
    VM_TLS_STARTTLS = 2       /* STARTTLS demanded, certificate checked */
};

enum vm_auth {
    VM_AUTH_NONE = 0,
    VM_AUTH_AUTO = 1, /* the best the server offers of PLAIN, LOGIN, CRAM-MD5 */
    VM_AUTH_PLAIN = 2,
    VM_AUTH_LOGIN = 3,
    VM_AUTH_CRAM_MD5 = 4,
    /* Password is the bearer token; NULL: vm_host.token gives it. */
    VM_AUTH_XOAUTH2 = 5,    /* OAUTHBEARER where the server offers that alone */
    VM_AUTH_OAUTHBEARER = 6 /* RFC 7628 */
};

/* One server with one account. */
struct vm_endpoint {
    uint32_t struct_size;
    const char* host; /* name or address; NULL: not set */
    uint16_t port;    /* 0: by protocol and TLS */
    uint8_t tls;      /* enum vm_tls */
    uint8_t auth;     /* enum vm_auth */
    const char* user; /* NULL or "": none */
    const char* password;
};

struct vm_options {
    uint32_t struct_size;
    void* context;              /* handed back to vm_host functions */
    struct vm_endpoint smtp;    /* where messages are pushed */
    struct vm_endpoint account; /* IMAP or POP3, whichever the plugin speaks; host NULL: none */
    const char* domain;         /* for EHLO; NULL: the plugin takes the address literal */
    const char* ca_file;        /* PEM; NULL: the system's store */
    uint8_t verify;             /* 0: accept any certificate even where it would be checked */
    uint8_t allow_cleartext_password; /* 1: a password may cross an unverified connection */
    uint8_t imap_search_text;         /* 0: identity by header, 1: by token in the text */
    /* 0: 60 s, 300 s, 600 s. */
    uint32_t connect_timeout_ms; /* DNS, TCP, TLS, greeting, EHLO, AUTH together */
    uint32_t reply_timeout_ms;   /* one reply, or one block of data taken by the server; all data of
                                  * a message: this and a second for each 1000 bytes */
    uint32_t dot_timeout_ms;     /* the reply to the final dot (RFC 5321 4.5.3.2.6: 10 minutes) */
};

/* One message to push. */
struct vm_message {
    uint32_t struct_size;
    const char* sender;    /* envelope sender, "" for <> */
    const char* recipient; /* envelope recipient, one */
    uint64_t size;     /* bytes `read` gives in all, for SIZE (RFC 1870); 0: not known. Any other
                        * number read is an I/O error. */
    uint8_t eight_bit; /* 1: has bytes above 127, needs 8BITMIME (RFC 6152): without it the
                        * message is not sent, VM_CAUSE_CONFIG at VM_STEP_MAIL */
    void* read_context;
    /* Gives the message from its start, CRLF line ends. Returns bytes put into `buffer` (at most
     * `capacity`), 0 at the end, -1 on an I/O error: then the plugin closes the connection at once,
     * without final dot and without QUIT. */
    int64_t (*read)(void* read_context, void* buffer, size_t capacity);
    /* Goes back to the start; called only before the first byte was sent on a connection that
     * turned out to be closed. Returns 0, or -1: cannot. */
    int (*rewind)(void* read_context);
};

/* The dialogue step a push ended in; in dialogue order. */
enum vm_step {
    VM_STEP_NONE = 0,    /* nothing was tried */
    VM_STEP_CONNECT = 1, /* DNS, TCP, implicit TLS */
    VM_STEP_GREETING = 2,
    VM_STEP_HELLO = 3, /* EHLO, HELO */
    VM_STEP_STARTTLS = 4,
    VM_STEP_AUTH = 5,
    VM_STEP_MAIL = 6,
    VM_STEP_RCPT = 7,
    VM_STEP_DATA = 8,
    VM_STEP_BODY = 9,    /* message data is being sent; no part of the final dot was */
    VM_STEP_DOT = 10,    /* the final dot was handed to the connection, whole or in part */
    VM_STEP_ACCOUNT = 11 /* account functions only: a command after the login */
};

/* Why it ended there. */
enum vm_cause {
    VM_CAUSE_REPLY = 0,    /* code, enhanced and text hold the reply; step DOT and 2xx is success */
    VM_CAUSE_LOST = 1,     /* closed or reset */
    VM_CAUSE_TIMEOUT = 2,  /* no answer in time */
    VM_CAUSE_DNS = 3,      /* the name does not resolve */
    VM_CAUSE_REFUSED = 4,  /* TCP refused, or unreachable */
    VM_CAUSE_TLS = 5,      /* handshake, certificate, or STARTTLS demanded and not offered */
    VM_CAUSE_PROTOCOL = 6, /* what came was no reply, or none that fits */
    VM_CAUSE_LOCAL = 7,    /* vm_message.read failed; not at VM_STEP_DOT */
    VM_CAUSE_CONFIG = 8,   /* the options do not allow it; not at VM_STEP_DOT */
    VM_CAUSE_SIZE_LIMIT = 9, /* larger than the server's SIZE; nothing was sent */
    VM_CAUSE_CANCELLED = 10  /* before the final dot */
};

struct vm_push_report {
    uint32_t struct_size;
    uint8_t step;        /* enum vm_step */
    uint8_t cause;       /* enum vm_cause */
    uint16_t code;       /* VM_CAUSE_REPLY: the SMTP reply code (a token refused by XOAUTH2's 334 is
                          * 535); else 0 */
    char enhanced[16];   /* RFC 3463 "5.1.1", "" */
    char text[512];      /* the reply's lines joined by blanks, with code; or the reason */
    uint64_t bytes_sent; /* of this push, connecting included; without TLS' own */
    uint64_t bytes_received;
    uint32_t round_trips; /* times the client had to wait for the server, connecting included */
    uint8_t connected;    /* 1: this push opened a new connection */
};

/* What a function that may be unsupported answers. */
enum vm_status {
    VM_OK = 0,
    VM_NOT_SUPPORTED = 1, /* well formed, permanent for this plugin */
    VM_FAILED = 2         /* error text says why */
};

/* Capabilities: what of the account side works. */
#define VM_CAN_SEARCH 0x1u /* find */
#define VM_CAN_SYNC 0x4u   /* folder synchronisation */
#define VM_CAN_VISIT 0x8u  /* visit: an account that is one maildrop */

struct vm_find_result {
    uint32_t struct_size;
    uint8_t found;
    uint32_t uidvalidity;
    uint32_t uid;
    char folder[256]; /* UTF-8 */
    char error[512];
};

/* ---- Folder synchronisation, VM_CAN_SYNC -------------------------------------------------------
 *
 * The host keeps what it knows of the account; the plugin says what became different, and does what
 * it is told. Folders are named in UTF-8 with "/" between the levels, without the account's
 * namespace prefix; "INBOX" is INBOX. A "/" that a server with another delimiter has inside a level
 * is given as U+2215. Names that would have control characters, or that are no modified UTF-7, are
 * not given at all.
 *
 * Each function connects when there is no connection, and returns enum vm_status with `report`
 * filled. After VM_FAILED nothing that a sink was told counts, but for apply(): the results that
 * were given stand. Sinks are called within the function, in the calling thread. */

/* How an account function ended and what it cost. */
struct vm_account_report {
    uint32_t struct_size;
    uint8_t step;      /* VM_STEP_NONE to VM_STEP_AUTH, or VM_STEP_ACCOUNT */
    uint8_t cause;     /* enum vm_cause; VM_CAUSE_REPLY: the server said NO, BAD or BYE */
    uint8_t connected; /* 1: a new connection was opened */
    uint8_t reserved;
    uint32_t features;   /* VM_FEATURE_... of the connection */
    char text[512];      /* the server's words, or the reason; "" with VM_OK */
    uint64_t bytes_sent; /* connecting included; without TLS' own */
    uint64_t bytes_received;
    uint32_t round_trips;
};

#define VM_FEATURE_IDLE 0x1u /* park() works */
#define VM_FEATURE_CONDSTORE 0x2u
#define VM_FEATURE_QRESYNC 0x4u
#define VM_FEATURE_NOTIFY 0x8u /* a parked connection tells of all folders of the scope */
#define VM_FEATURE_MOVE 0x10u
#define VM_FEATURE_UIDPLUS 0x20u

/* Message flags. */
#define VM_FLAG_SEEN 0x1u
#define VM_FLAG_FLAGGED 0x2u
#define VM_FLAG_DELETED 0x4u

/* Which folders are looked at (Email Integration Sync Mode). */
enum vm_scope_mode {
    VM_SCOPE_ALL = 0, /* every selectable one of the account's own, but those for trash and junk,
                       * what lies below these, and those for drafts and sent mail */
    VM_SCOPE_INBOX = 1,
    VM_SCOPE_FOLDER = 2 /* vm_scope.folder alone */
};
struct vm_scope {
    uint32_t struct_size;
    uint8_t mode;        /* enum vm_scope_mode */
    uint8_t read_only;   /* 1: nothing may be created */
    uint8_t behind_look; /* 1: as of the end of the last look() will do, see vm_look.then_folders */
    const char* folder;  /* created and subscribed when missing, but with VM_SCOPE_INBOX */
};

/* What a folder is for, by SPECIAL-USE (RFC 6154) or, where the server does not say, by its usual
 * name; a folder with any of these is outside VM_SCOPE_ALL. */
#define VM_USE_TRASH 0x1u
#define VM_USE_JUNK 0x2u
#define VM_USE_DRAFTS 0x4u
#define VM_USE_SENT 0x8u
#define VM_USE_VIRTUAL 0x10u /* shows the messages of other folders: \All, \Flagged */

struct vm_folder {
    uint32_t struct_size;
    const char* name;
    uint32_t uidvalidity; /* 0: the server does not say; look() tells it, or why */
    uint32_t uid_next;    /* 0: not known, something changed there: look() tells */
    uint32_t messages;
    uint64_t modseq; /* HIGHESTMODSEQ; 0: the server has none, or not known */
};

/* What changed in a folder since the host last looked. */
struct vm_look {
    uint32_t struct_size;
    uint8_t every;        /* 1: look at all of `uids`, whatever mod-sequences say */
    uint8_t others;       /* 1: mails that are none of the unit's are given to `found` too */
    uint8_t then_folders; /* 1: when some are gone, folders() comes next, with behind_look: a plugin
                           * may ask for it in the same round trip */
    const char* folder;
    uint32_t uidvalidity; /* 0: never looked. Another one than the server's: `uids` mean nothing */
    uint32_t uid_next;    /* messages from this UID on have not been looked at */
    uint64_t modseq;      /* as of the last look; 0: not known */
    const uint32_t* uids; /* the messages known to the host, ascending */
    size_t uid_count;
};
/* A message that says to be one of the unit's, or (vm_look.others) one that does not. */
struct vm_found {
    uint32_t struct_size;
    uint32_t uid;
    uint32_t flags;         /* VM_FLAG_... */
    const char* id;         /* X-VM-Message-Id, or (imap_search_text) the token; "": neither */
    const char* message_id; /* Message-ID without <>, "" when none */
};
struct vm_look_sink {
    void* context;
    void (*flags)(void* context, uint32_t uid, uint32_t flags); /* of one of `uids`; all it has */
    /* One of `uids` is not there any more: the server said so, and when asked for it by its UID,
     * did not find it. */
    void (*gone)(void* context, uint32_t uid);
    void (*found)(void* context, const struct vm_found* message); /* new to the host */
};
struct vm_look_result {
    uint32_t struct_size;
    uint32_t uidvalidity; /* for the next vm_look; as of before anything that was not told */
    uint32_t uid_next;
    uint64_t modseq;
    /* Not 0: there is more that is new than one call looks at, from this UID on. The look is whole
     * when the host has called again, with this as uid_next and without `uids`, until it is 0; what
     * the first call told of the folder holds, with the least uid_next of all. */
    uint32_t go_on;
};

/* One thing to do in a folder. */
enum vm_change_kind {
    VM_CHANGE_FLAGS = 0,  /* set `add`, clear `remove` */
    VM_CHANGE_MOVE = 1,   /* to folder `to`, which is created when missing */
    VM_CHANGE_TRASH = 2,  /* to the account's trash folder, created when missing */
    VM_CHANGE_EXPUNGE = 3 /* this message alone, never others that carry \Deleted; where the server
                           * cannot do that (no UIDPLUS), as VM_CHANGE_TRASH */
};
struct vm_change {
    uint32_t struct_size;
    uint8_t kind;  /* enum vm_change_kind */
    uint8_t again; /* moves and removals: begun before, and nobody knows how far that came; where it
                    * takes several commands, what is done already is not done twice */
    uint32_t uid;
    uint32_t add, remove;   /* VM_FLAG_... */
    const char* id;         /* the message's; checked before anything but flags is changed */
    const char* message_id; /* its Message-ID, without <> */
    const char* to;
};
enum vm_change_outcome {
    VM_CHANGE_DONE = 0,
    VM_CHANGE_MISSING = 1, /* it seems that somebody else was faster; whether there really is no
                            * such message, the next look tells */
    VM_CHANGE_OTHER = 2,   /* the UID is another message's: nothing was done */
    VM_CHANGE_REFUSED = 3, /* the server said no; text has its words */
    VM_CHANGE_CANNOT = 4,  /* moves: `to` cannot be, or is outside of every scope (trash, junk,
                            * drafts, sent mail); it makes no sense to try again */
    VM_CHANGE_MARKED = 5 /* removals: it is still there, marked \Deleted: the server has no command
                          * to expunge it alone, or refused that; text has its words */
};
struct vm_change_result {
    uint32_t struct_size;
    uint8_t outcome;      /* enum vm_change_outcome */
    uint32_t uidvalidity; /* moves: of `folder`; 0: the server does not say (no UIDPLUS) */
    uint32_t uid;         /* moves: the new one */
    char folder[1024];    /* moves: where the message is now */
    char text[512];
};
struct vm_change_sink {
    void* context;
    void (*result)(void* context, size_t index, const struct vm_change_result* result);
};

/* ---- A maildrop, VM_CAN_VISIT (POP3, RFC 1939) -------------------------------------------------
 *
 * It has neither folders nor flags, and who looks at it locks it. A message is known by its
 * unique-id, which the host keeps. */

struct vm_drop_removal {
    uint32_t struct_size;
    const char* unique_id;  /* "": not known; then it is looked for among those that are new */
    const char* id;         /* the message's; checked before it is deleted */
    const char* message_id; /* its Message-ID, without <> */
};
struct vm_drop {
    uint32_t struct_size;
    const char* const* known; /* unique-ids that were looked at before, ascending by bytes */
    size_t known_count;
    const struct vm_drop_removal* removals;
    size_t removal_count;
    uint8_t every;         /* 1: look at all that are new; 0: newest first, until every removal with
                            * an unknown unique-id was found */
    uint32_t content_size; /* bytes of a message that are wanted at most */
};
struct vm_drop_mail {
    uint32_t struct_size;
    const char* unique_id;
    const char* id;         /* X-VM-Message-Id; "" when it is none of the unit's */
    const char* message_id; /* Message-ID without <>, "" when none */
};
struct vm_drop_sink {
    void* context;
    /* A message that is new to the host; newest first. Non-zero: its content is wanted. */
    int (*mail)(void* context, const struct vm_drop_mail* mail);
    /* One of `known` that is not there any more. */
    void (*gone)(void* context, const char* unique_id);
    /* The beginning of a message's content, as it is on the wire but for dot-stuffing. */
    void (*content)(void* context, const char* unique_id, const void* data, size_t size);
    /* Asked right before the mails of a removal are deleted. 0: it is not wanted any more. */
    int (*confirm)(void* context, size_t index);
    /* enum vm_change_outcome of a removal: DONE, MISSING, OTHER, REFUSED with the server's words,
     * or with why it cannot be told which mail is meant; CANNOT: it was not wanted any more. */
    void (*removed)(void* context, size_t index, uint8_t outcome, const char* text);
};

struct vm_session; /* the plugin's own */

/* The plugin. Function pointers are mandatory, but for those that say when they may be NULL. */
struct vm_transport {
    uint32_t abi_version;
    uint32_t struct_size;
    const char* name;        /* "smtpimap4" */
    const char* description; /* one line: version and protocols */
    uint32_t capabilities;   /* VM_CAN_... */

    /* A session for one SMTP endpoint and one account. Does not connect. NULL on failure, with the
     * reason in `error`. [any] */
    struct vm_session* (*open)(const struct vm_options* options, char* error, size_t error_size);
    /* Ends the session: QUIT where a connection is open and idle, bounded by a second or so.
     * [session] */
    void (*close)(struct vm_session* session);

    /* Pushes one message, connecting when needed and keeping the connection for the next. Fills
     * `report` always. A kept connection found closed at MAIL, before any byte of the message, is
     * replaced once, silently. [session] */
    void (*push)(struct vm_session* session, const struct vm_message* message,
                 struct vm_push_report* report);

    /* Looks for the message with header X-VM-Message-Id `id` in the account. Returns enum vm_status
     * and fills `result`. [session] */
    int (*find)(struct vm_session* session, const char* id, struct vm_find_result* result);

    /* Folder synchronisation; NULL without VM_CAN_SYNC. All [session]. */

    /* Gives every folder of the scope with its state now: one round trip on a kept connection where
     * the server has LIST-STATUS. */
    int (*folders)(struct vm_session* session, const struct vm_scope* scope, void* context,
                   void (*sink)(void* context, const struct vm_folder* folder),
                   struct vm_account_report* report);
    /* Looks at one folder. VM_OK means complete. The messages new to the host are those from
     * look->uid_next on. */
    int (*look)(struct vm_session* session, const struct vm_look* look,
                const struct vm_look_sink* sink, struct vm_look_result* result,
                struct vm_account_report* report);
    /* Does `count` things in the folder, whose UIDVALIDITY must be the given one; each gets its
     * result, unless VM_FAILED. */
    int (*apply)(struct vm_session* session, const char* folder, uint32_t uidvalidity,
                 const struct vm_change* changes, size_t count, const struct vm_change_sink* sink,
                 struct vm_account_report* report);
    /* Looks for message `id` in the trash folder and moves it to folder `to`. VM_CHANGE_MISSING:
     * it is not there. */
    int (*recover)(struct vm_session* session, const char* id, const char* message_id,
                   const char* to, struct vm_change_result* result,
                   struct vm_account_report* report);

    /* Gives the first `size` bytes of one message, or all there are, and its VM_FLAG_..., in one
     * call of `sink`, and does not set \Seen. VM_OK without a call: there is no such message. */
    int (*fetch)(struct vm_session* session, const char* folder, uint32_t uidvalidity, uint32_t uid,
                 uint32_t size, void* context,
                 void (*sink)(void* context, uint32_t flags, const void* data, size_t size),
                 struct vm_account_report* report);

    /* Waiting without a thread (IDLE, RFC 2177): the server will tell of changes in `folder` - with
     * VM_FEATURE_NOTIFY, in all of the scope last given to folders() - by making *fd readable,
     * which is then handed to peek(). *changed: something happened already, or the folder's state
     * is not that of the last look at it. The descriptor stays the session's. Any other function
     * ends it; so must the host before 29 minutes are over, by calling park() again,
     * which asks the server for what it has not told yet.
     * VM_NOT_SUPPORTED: the server has no IDLE. */
    int (*park)(struct vm_session* session, const char* folder, int* fd, uint8_t* changed,
                struct vm_account_report* report);
    /* Reads what the server said meanwhile, without waiting. VM_FAILED: the connection is lost. */
    int (*peek)(struct vm_session* session, uint8_t* changed, struct vm_account_report* report);

    /* NULL without VM_CAN_VISIT. Logs in, looks at the drop, deletes, logs out. What mail(),
     * gone() and content() told stands even after VM_FAILED; removed() is called when the server
     * has confirmed the deletions, and for every removal, or not at all: then the host asks again.
     * [session] */
    int (*visit)(struct vm_session* session, const struct vm_drop* drop,
                 const struct vm_drop_sink* sink, struct vm_account_report* report);

    /* What park() asks when it is called again, without waiting for the answer: many sessions can
     * be asked by one thread. The first call sends the question; each further one, when the
     * descriptor is readable, reads what the server has said. *waits: 1 while the answer is not
     * complete, 0 when it is and the session is parked as before. *changed as of park(); with it
     * *waits is 0, and the rest of the answer is read by the next function that is called, as it is
     * when the host has waited long enough. VM_FAILED: the session is not parked, or its connection
     * is lost; none is opened. NULL: park() has to do. [session] */
    int (*ask)(struct vm_session* session, uint8_t* waits, uint8_t* changed,
               struct vm_account_report* report);

    /* Connects to the SMTP server and logs in there as push() does, on a new connection, which is
     * kept for the next push. For those who look whether that works before there is a message.
     * VM_OK: the server is ready for MAIL, and `report` says only what it cost; VM_FAILED: `report`
     * as from push(), its step VM_STEP_AUTH at most. NULL: only push() tells. [session] */
    int (*log_in)(struct vm_session* session, struct vm_push_report* report);
};

typedef const struct vm_transport* (*vm_transport_entry_fn)(const struct vm_host* host);

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const struct vm_transport*
vm_transport_entry(const struct vm_host* host);

#ifdef __cplusplus
}
#endif

#endif
