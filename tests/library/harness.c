#include "harness.h"

#include <tiffio.h>

#include <dirent.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

char g_root[ROOT_SIZE], g_recording[PATH_SIZE], g_fax[PATH_SIZE];

static const char* g_test;
static int g_passed, g_failed, g_holds;

void check_at(int holds, const char* what, int line) {
    if (holds) return;
    g_holds = 0;
    fprintf(stderr, "%s: line %d: %s\n", g_test, line, what);
}

void status_at(int wanted, int got, const struct vm_store_error* error, const char* call,
               int line) {
    char what[1500];
    snprintf(what, sizeof what, "%s: %d, not %d: %s", call, got, wanted, error->text);
    check_at(got == wanted && error->status == wanted, what, line);
    check_at(strchr(error->text, '\n') == NULL && strlen(error->text) < sizeof error->text,
             "the text is one line", line);
    if (wanted != VM_STORE_OK) check_at(error->text[0] != '\0', "an error has a text", line);
}

int shell(const char* format, ...) {
    char command[2000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    return system(command);
}

void write_file(const char* path, const char* text) {
    FILE* file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) abort();
}

int files_below(const char* directory) {
    int count = 0;
    DIR* in = opendir(directory);
    if (in == NULL) return 0;
    for (struct dirent* entry; (entry = readdir(in)) != NULL;) {
        char path[PATH_SIZE * 2];
        struct stat status;
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (stat(path, &status) == 0) count += S_ISDIR(status.st_mode) ? files_below(path) : 1;
    }
    closedir(in);
    return count;
}

int descriptors(void) {
    int count = 0;
    DIR* in = opendir("/proc/self/fd");
    while (in != NULL && readdir(in) != NULL) ++count;
    closedir(in);
    return count;
}

/* 8 kHz, 8 bits, µ-law. */
static void write_recording(const char* path) {
    enum { kSamples = 4000 };
    static const unsigned char kHead[] = {
        'R', 'I', 'F', 'F', 0, 0, 0,   0,   'W',  'A',  'V', 'E', 'f',  'm',  't', ' ',
        18,  0,   0,   0,   7, 0, 1,   0,   0x40, 0x1F, 0,   0,   0x40, 0x1F, 0,   0,
        1,   0,   8,   0,   0, 0, 'd', 'a', 't',  'a',  0,   0,   0,    0};
    unsigned char bytes[sizeof kHead + kSamples];
    memcpy(bytes, kHead, sizeof kHead);
    memset(bytes + sizeof kHead, 0x7F, kSamples);
    const unsigned whole = sizeof bytes - 8, samples = kSamples;
    for (int i = 0; i < 4; ++i) {
        bytes[4 + i] = (unsigned char)(whole >> 8 * i);
        bytes[sizeof kHead - 4 + (size_t)i] = (unsigned char)(samples >> 8 * i);
    }
    FILE* file = fopen(path, "w");
    if (file == NULL || fwrite(bytes, sizeof bytes, 1, file) != 1 || fclose(file) != 0) abort();
}

static void write_fax(const char* path) {
    unsigned char row[216] = {0};
    TIFF* tiff = TIFFOpen(path, "w");
    if (tiff == NULL) abort();
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, 1728);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, 100);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 1);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_CCITTFAX4);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, 100);
    for (unsigned at = 0; at < 100; ++at) TIFFWriteScanline(tiff, row, at, 0);
    TIFFClose(tiff);
}

void run(const char* name, void (*test)(void)) {
    const char *temporary = getenv("TMPDIR"), *build = getenv("VM_BUILD");
    char path[PATH_SIZE];
    g_test = name;
    g_holds = 1;
    snprintf(g_root, sizeof g_root, "%s/vmstore.XXXXXX", temporary ? temporary : "/tmp");
    if (build == NULL || mkdtemp(g_root) == NULL) abort();
    snprintf(g_recording, sizeof g_recording, "%s/message.wav", g_root);
    snprintf(g_fax, sizeof g_fax, "%s/fax.tif", g_root);
    write_recording(g_recording);
    write_fax(g_fax);
    snprintf(path, sizeof path, "%s/bin:/usr/bin:/bin", build);
    setenv("PATH", path, 1);
    setenv("VM_ROOT", g_root, 1);
    if (shell("vmconfig init > /dev/null && vmconfig mailbox create 101 && vmconfig mailbox create "
              "102"))
        abort();
    test();
    shell("rm -rf '%s'", g_root);
    ++*(g_holds ? &g_passed : &g_failed);
}

int closing_line(void) {
    printf("%d passed, %d failed\n", g_passed, g_failed);
    return g_failed == 0 && g_passed > 0 ? 0 : 1;
}

struct vm_store* opened(void) {
    struct vm_store* store = NULL;
    struct vm_store_error error;
    STATUS(VM_STORE_OK, vm_store_open(g_root, &store, &error));
    if (store == NULL) abort();
    return store;
}

struct vm_store_new a_message(void) {
    struct vm_store_new message = {.struct_size = sizeof message,
                                   .mailbox = "101",
                                   .kind = VM_STORE_VOICE,
                                   .file = g_recording};
    return message;
}

const char* added(struct vm_store* store, char* id) {
    const struct vm_store_new message = a_message();
    struct vm_store_error error;
    STATUS(VM_STORE_OK, vm_store_add(store, &message, id, &error));
    return id;
}

struct vm_store_messages* list(struct vm_store* store, const char* mailbox, int deleted) {
    const struct vm_store_query query = {sizeof query, deleted, mailbox, NULL};
    struct vm_store_messages* found = NULL;
    struct vm_store_error error;
    STATUS(VM_STORE_OK, vm_store_list(store, &query, &found, &error));
    if (found == NULL) abort();
    return found;
}

size_t count_all(struct vm_store* store) {
    struct vm_store_messages* found = list(store, NULL, 1);
    const size_t count = found->count;
    vm_store_messages_free(found);
    return count;
}

int64_t new_messages(struct vm_store* store, const char* mailbox) {
    struct vm_store_counts counts = {.struct_size = sizeof counts};
    struct vm_store_error error;
    STATUS(VM_STORE_OK, vm_store_count(store, mailbox, &counts, &error));
    return counts.new_messages;
}

int state_of(struct vm_store* store, const char* id) {
    struct vm_store_messages* found = NULL;
    struct vm_store_error error;
    STATUS(VM_STORE_OK, vm_store_get(store, id, &found, &error));
    const int state = found == NULL ? 0 : found->messages[0]->state;
    vm_store_messages_free(found);
    return state;
}

struct vm_store_watch* watch_of(struct vm_store* store, const char* mailbox) {
    struct vm_store_watch* watch = NULL;
    struct vm_store_error error;
    STATUS(VM_STORE_OK, vm_store_watch_open(store, mailbox, &watch, &error));
    if (watch == NULL) abort();
    return watch;
}

/* As an event loop has it: the descriptor, and whatever is told then. */
void expect_told(struct vm_store_watch* watch, const char* mailbox) {
    char told[VM_STORE_MAILBOX_SIZE] = "";
    struct vm_store_error error;
    struct pollfd fd = {vm_store_watch_fd(watch), POLLIN, 0};
    while (told[0] == '\0') {
        CHECK(poll(&fd, 1, -1) == 1);
        STATUS(VM_STORE_OK, vm_store_watch_next(watch, 0, told, &error));
    }
    SAME(mailbox, told);
}
