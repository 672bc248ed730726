// Reads a mail in a child process, vmreadmail(1), so that nothing hostile is ever parsed in this
// one.
#ifndef VM_MIME_MAIL_READER_H
#define VM_MIME_MAIL_READER_H

#include "mime/read_mail.h"

#include <filesystem>
#include <string_view>

namespace vm::mime {

// read_mail() by `program`, the path of vmreadmail, in the sandbox of base/process.h. Blocks for
// two minutes at most, by the clock; the child has 10 s of processor time and 512 MiB. A mail that
// is too much for that is read once more from its first 128 KiB, as one that was cut. Any thread.
//
// kMessage: this mail cannot be read, now or later. kConfig: the program cannot be started.
// kUnavailable: the machine is to blame, the mail may be tried again.
Result<MailText> read_mail_in_child(const std::filesystem::path& program, std::string_view mail,
                                    bool is_cut = false);

}  // namespace vm::mime

#endif
