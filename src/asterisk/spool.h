// Asterisk's voice mail as it lies on the disk (app_voicemail, file storage): what is in a mailbox,
// and the changes that Asterisk makes itself. Every look and every change is made under Asterisk's
// locks of all of the mailbox's folders, which are held for as long as that takes and nothing else.
//
// Promises: a message is known by its origin, never by its number, which Asterisk changes. Numbers
// are never changed here: a gap stays. Nothing is overwritten. A process that is killed in the
// middle of a removal leaves the envelope, which names it; in the middle of a move, both places,
// and a note of it (kMoveNote), by which the next look ends it. One thread.
#ifndef VM_ASTERISK_SPOOL_H
#define VM_ASTERISK_SPOOL_H

#include "asterisk/envelope.h"
#include "asterisk/settings.h"
#include "base/error.h"
#include "base/files.h"

#include <chrono>
#include <filesystem>
#include <functional>
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
};

struct SpoolMessage {
    std::string origin;
    Envelope envelope;
    // By the order of kFolders. Several: Asterisk copies a message before it removes it, or a
    // person has made a copy.
    std::vector<Place> places;
    // Of one that was not known: the recording, open, in the forms that the unit can take, best
    // first; and whether there are others. Open, it stays what it is whatever Asterisk does.
    std::vector<UniqueFd> audio;
    std::string other_forms;  // extensions
    // Open as well, so that it can be made durable: envelope and folder.
    std::vector<UniqueFd> files;
};

struct Look {
    std::vector<SpoolMessage> messages;  // by origin
    std::set<std::string> folders;       // that are there
    // Something could not be read, each with the reason: what was not found may be there.
    std::vector<std::string> unread;
    // There are more that were not known; only so many files are open at once.
    bool more = false;
};

// What is to be done to a message that lies in `from`.
struct Wish {
    std::string origin, from;
    std::string to;  // a folder; kGone
};
enum class Granted {
    kDone,
    kElsewhere,  // it does not lie there any more: to be decided anew
    kFull,       // the folder has no number left
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

    // Whether the unit knows an origin. An envelope has two names, of which the one that is known
    // is the message's. `refused`: those whose recording need not be opened once more.
    using Known = std::function<bool(const std::string& origin)>;
    // kRetryLater when a folder is locked; kNoInput when there is no such mailbox.
    Result<Look> look(const Box& box, const Known& known, const std::set<std::string>& refused);

    // Does what is wished, as far as that can be done; one for one. kRetryLater as above. An error
    // leaves open what of it was done.
    Result<std::vector<Granted>> change(const Box& box, const std::vector<Wish>& wishes,
                                        const Known& known);

  private:
    struct Folder;
    struct Listing;

    Result<Listing> list(const Box& box) const;
    // `refused`: nullptr opens no recording at all.
    Look collect(const Box& box, const Listing& listing, const Known& known,
                 const std::set<std::string>* refused);
    std::string origin_of(const Box& box, const Envelope& envelope, const Known& known) const;
    Result<> finish_moves(const Box& box, const Known& known);

    const Settings& settings_;
    const std::string owner_;
    // Envelopes that were read, by file as it was then.
    struct Read {
        FileStamp stamp;
        std::optional<Envelope> envelope;
    };
    std::map<Box, std::map<std::string, Read>> read_;
};

}  // namespace vm::asterisk

#endif
