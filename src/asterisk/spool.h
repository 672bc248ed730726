// Asterisk's voice mail as it lies on the disk (app_voicemail, file storage): what is in a mailbox,
// and the changes that Asterisk makes itself. Every look and every change is made under Asterisk's
// locks of all of the mailbox's folders, which are held for as long as that takes and nothing else.
//
// Promises: a message is known by its origin, never by its number, which Asterisk changes: by
// server, context, mailbox, msg_id and recording. (A message that comes back with a comment before
// it has the same msg_id.) Numbers are never changed here: a gap stays. Nothing is overwritten. A
// process that is killed in the middle of a removal leaves the envelope, which names it; in the
// middle of a move, both places, and a note of it (kMoveNote), by which the next look ends it. One
// thread.
#ifndef VM_ASTERISK_SPOOL_H
#define VM_ASTERISK_SPOOL_H

#include "asterisk/envelope.h"
#include "asterisk/reader.h"
#include "asterisk/settings.h"
#include "base/error.h"
#include "base/files.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace vm::asterisk {

// Where a message lies.
struct Place {
    std::string folder;
    int number = 0;
    // Of its envelope: two places of one file are a move that was not finished.
    dev_t device = 0;
    ino_t inode = 0;
    bool commented = false;  // somebody records a comment before it; it is nobody else's meanwhile
};

struct SpoolMessage {
    std::string origin;
    Envelope envelope;
    // Those that have a recording first, by the order of kFolders. Several: Asterisk copies a
    // message before it removes it, or a person has made a copy.
    std::vector<Place> places;
    bool fresh = false;  // not known, and to be taken
    // Of the first place: the recording's forms that the unit can take, best first, the file of the
    // first; and what others there are.
    std::vector<std::string> forms;
    FileStamp stamp;
    std::string other_forms;  // extensions
    // These, open, of one that is fresh: it stays what it is whatever Asterisk does.
    std::vector<UniqueFd> audio;
    // Open as well, so that it can be made durable: envelope and folder.
    std::vector<UniqueFd> files;
};

struct Look {
    std::vector<SpoolMessage> messages;  // by origin
    std::set<std::string> folders;       // that are there
    // Something could not be read, each with the reason: what was not found may be there.
    std::vector<std::string> unread;
    // That may be otherwise soon, and nobody tells; or there is one that is not to be taken yet.
    bool retry = false;
    // There are more that were not known; only so many files are open at once.
    bool more = false;
};

// That the unit knows, of one mailbox.
using Origins = std::set<std::string>;
// Fresh ones that could not be taken with the recording they had, and until when that is so.
struct Refusal {
    FileStamp stamp;
    std::int64_t until = 0;  // steady time
};
using Refused = std::map<std::string, Refusal>;

// What is to be done to a message that lies in `from`.
struct Wish {
    std::string origin, from;
    std::string to;  // a folder; kGone
};
struct Granted {
    enum class How {
        kDone,
        kElsewhere,  // it does not lie there any more, or is in use: to be decided anew
        kFull,       // the folder has no number left
        kFailed,
    };
    How how = How::kDone;
    std::string words;  // kFailed: why
};

class Spool {
  public:
    // `owner`: of locks, see Locks::take().
    Spool(const Settings& settings, std::string owner)
        : settings_(settings), owner_(std::move(owner)) {}

    // All mailboxes there are. kNoInput and the like when the spool cannot be read.
    Result<std::vector<Box>> boxes() const;
    std::filesystem::path directory(const Box& box) const {
        return settings_.spool / box.context / box.mailbox;
    }
    // Locks that a process before this one has left in `box`; see break_own_locks().
    Result<int> break_own_locks(const Box& box) const;

    // The beginning of all origins of a mailbox.
    std::string prefix(const Box& box) const {
        return "asterisk/" + settings_.unit + "/" + box.context + "/" + box.mailbox + "/";
    }
    // An envelope has two names, of which the one that is known is the message's. `list_only`: no
    // file of fresh ones is opened. kRetryLater when a folder is locked; kNoInput when there is no
    // such mailbox.
    Result<Look> look(const Box& box, const Origins& known, const Refused& refused, bool list_only);

    // Does what is wished, as far as that can be done; one for one. kRetryLater as above. An error
    // leaves open what of it was done.
    Result<std::vector<Granted>> change(const Box& box, const std::vector<Wish>& wishes,
                                        const Origins& known);

  private:
    struct Listing;

    Result<Listing> list(const Box& box) const;
    Granted grant(const Box& box, const Wish& wish, const Look& look, Listing& listing) const;
    Result<> finish_moves(const Box& box, const Origins& known);

    const Settings& settings_;
    const std::string owner_;
    std::map<Box, Reader> readers_;
};

}  // namespace vm::asterisk

#endif
