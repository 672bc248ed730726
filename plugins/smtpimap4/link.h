// One logged-in connection to an IMAP server and what is known of it: what the server can do, how
// it names folders, which folder is selected and whether something changed there that nobody was
// told.
//
// Everything here throws Ended (dialogue.h). Names are the server's spelling unless said otherwise.
// Owned by one session, one thread at a time.
#ifndef VM_PLUGINS_SMTPIMAP4_LINK_H
#define VM_PLUGINS_SMTPIMAP4_LINK_H

#include "common/account.h"
#include "smtpimap4/dialogue.h"
#include "smtpimap4/folder_names.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vm::plug::imap {

struct FolderState {
    std::uint32_t uidvalidity = 0;
    std::uint32_t uid_next = 0;  // 0: the server does not say
    std::uint32_t messages = 0;
    std::uint64_t modseq = 0;  // 0: the server has none

    bool operator==(const FolderState&) const = default;
};

struct Selection {
    std::string name;
    FolderState state;     // as of the SELECT
    bool changed = false;  // since then, by somebody else
    // The number of messages the server told last; nothing: some may have left since.
    std::optional<std::uint32_t> exists;
};

struct Listed {
    std::string name;
    std::optional<std::string> shown;  // the host's spelling; nothing: it has none
    bool selectable = true;
    std::uint32_t use = 0;       // VM_USE_..., by the server or by its name
    std::uint32_t declared = 0;  // those by the server
    std::uint32_t inside = 0;    // that of a trash or junk folder above it
    std::optional<FolderState> state;
};

class Link {
  public:
    using Answer = Dialogue::Answer;
    using Step = Dialogue::Step;

    // Connects and logs in. What is asked then (folder names, QRESYNC) goes with the first command
    // where that can be; where the server does not say what it can do with the login, it is asked
    // before. Where the server says before the login that it does ENABLE, all of that goes in the
    // login's own flight, and the state of INBOX is asked for in it if that is `wanted`. Throws
    // Ended; `counters` and `host` outlive the link.
    static std::unique_ptr<Link> connect(const AccountOptions& options, bool inbox_wanted,
                                         const Host& host, Counters& counters);

    Dialogue& dialogue() { return *dialogue_; }
    bool can(const char* capability) const;
    bool condstore() const;
    bool qresync();
    std::uint32_t features() const;

    // The host's name of a folder as the server's; Ended when it is none.
    std::string to_server(std::string_view shown);
    std::string to_host(const std::string& name);

    // Selects (again), which tells the folder's state; `answer` sees the FETCH and VANISHED that
    // QRESYNC brings. Changes told of before are what this state has in it.
    const Selection& select(const std::string& name, const std::string& parameters = {},
                            const Answer& answer = {});
    // The selected folder; null: none is, or it is not known which.
    Selection* selection() { return selection_ ? &*selection_ : nullptr; }
    bool selected(const std::string& name) const {
        return selection_ && same_mailbox(selection_->name, name);
    }
    // Messages of it are about to leave it: the number known is no measure any more, and the next
    // one counts as news.
    void forget_count() {
        if (selection_) selection_->exists.reset();
    }
    // Something else than select() may have selected something.
    void forget_selection() { selection_.reset(); }

    // Something happened in a folder that is not selected, since folders() last looked.
    bool elsewhere() const { return elsewhere_ != elsewhere_told_; }
    void elsewhere_told() { elsewhere_told_ = elsewhere_; }

    // Every folder of the personal namespace. With `states`, of the selectable ones their state as
    // far as the server gives it along with the list (LIST-STATUS); what happened elsewhere before
    // is told by these.
    std::vector<Listed> list(bool states);
    // Runs the steps and, in the same round trip, asks for the list that list_behind() then gives:
    // as of after the steps. Where anything was said to the server meanwhile it is asked again.
    std::vector<Condition> run_and_list(std::vector<Step> steps);
    std::vector<Listed> list_behind();
    // Asks for the states of these; in the same order, nothing where the server refuses. Here and
    // in list(), a selected folder in which something changed has UIDNEXT and mod-sequence 0: they
    // are not known before it is selected again.
    std::vector<std::optional<FolderState>> states(const std::vector<std::string>& names);
    // The same of one, with the server's answer.
    Condition state(const std::string& name, std::optional<FolderState>& out);
    bool exists(const std::string& name);
    // Creates and subscribes it; that it is there already is no error.
    void create(const std::string& name);
    // The same, with the server's answer.
    Condition try_create(const std::string& name);
    // Whether a folder of this name is, or would be, one of VM_SCOPE_ALL.
    bool is_in_scope(const std::string& name);
    // The folder for deleted messages; nothing when there is none. Asks once.
    std::optional<std::string> trash();
    // The same, created when there is none.
    std::string make_trash();

    // A search for the header or the token has found a message that has it: the server can do it.
    bool search_is_trusted() const { return search_trusted_; }
    void trust_search() { search_trusted_ = true; }

    // NOTIFY (RFC 5465) is on: the connection tells of all personal folders.
    bool notifying() const { return notifying_; }
    bool may_notify() const { return can("NOTIFY") && !notify_refused_; }
    void set_notifying(bool on) { (on ? notifying_ : notify_refused_) = true; }

  private:
    Link() = default;
    bool connect_once(const AccountOptions& options, bool inbox_wanted, const Host& host,
                      Counters& counters);
    bool take_opening(const std::vector<Step>& steps, const AccountOptions& options);
    void set_capabilities(const std::vector<std::string>& names);
    std::vector<Step> opening(const std::vector<std::string>& can, bool inbox_wanted);
    void introduce();
    void introduced();
    Step enable(const char* what);
    Step ask_namespace();
    Step ask_delimiter();
    void set_namespace(const NamespaceData& spaces);
    void on_news(const Response& response);
    static std::string status_items(bool condstore);
    void mind_selected(const std::string& name, std::optional<FolderState>& state) const;
    struct Asked;
    void add(const ListData& data, Asked& asked) const;
    std::shared_ptr<Asked> ask_for_list(bool states, std::vector<Step>& steps);
    std::vector<Listed> take_list(Asked& asked);
    void mark_uses(std::vector<Listed>& folders) const;
    bool foreign(const std::string& name) const;
    bool take_state(const Response& response, const std::string& name,
                    std::optional<FolderState>& out);

    std::unique_ptr<Dialogue> dialogue_;
    std::string capabilities_;  // " A B ": as a list of strings it would be a kilobyte
    bool qresync_ = false;
    bool named_ = false;  // the server has said how folders are named
    FolderNames names_;
    std::vector<std::string> foreign_;  // prefixes of other users' and shared folders
    std::optional<Selection> selection_;
    // Known since the last list(): the folder for deleted messages, if there is one.
    std::optional<std::optional<std::string>> trash_;
    unsigned elsewhere_ = 0, elsewhere_told_ = 0;  // how many things happened, and were told
    std::vector<Listed> listed_;                   // by the last list()
    std::shared_ptr<Asked> behind_;                // for list_behind()
    bool search_trusted_ = false;
    bool notifying_ = false;
    bool notify_refused_ = false;
    std::optional<FolderState> inbox_;  // as of the login, if nothing was asked since it
    unsigned opened_ = 0;               // commands sent, as of the login
};

}  // namespace vm::plug::imap

#endif
