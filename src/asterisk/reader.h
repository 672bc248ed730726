// What the files of a mailbox's messages say, each read once for as long as it stays what it is:
// every look needs all of them, and takes place under Asterisk's locks. Inside this layer only. One
// thread.
#ifndef VM_ASTERISK_READER_H
#define VM_ASTERISK_READER_H

#include "asterisk/envelope.h"
#include "asterisk/spool_folder.h"
#include "base/error.h"
#include "base/files.h"

#include <map>
#include <optional>
#include <string>

namespace vm::asterisk {

class Reader {
  public:
    // nullopt: it is no whole envelope. kMessage: it is no file; kPermission and the like when it
    // cannot be read now.
    Result<std::optional<Envelope>> envelope(const ListedFolder& folder, int number);
    // What tells the recording in the file `rest` from others: 16 digits, of its size and its
    // beginning. (Asterisk records a comment before a message; what was said in the first seconds
    // is never the same.) Errors as above.
    Result<std::string> fingerprint(const ListedFolder& folder, int number,
                                    const std::string& rest);
    // Forgets what was not asked for since the last call.
    void forget_others();

  private:
    struct Read {
        FileStamp stamp;
        std::optional<Envelope> envelope;
        std::string fingerprint;
    };
    template <class Of>
    Result<Read> read(const ListedFolder& folder, int number, const std::string& rest, Of&& of);

    std::map<std::string, Read> before_, now_;  // by path
};

}  // namespace vm::asterisk

#endif
