#include "smtpimap4/folders.h"

#include <algorithm>

namespace vm::plug::imap {

namespace {

class Listing {
  public:
    Listing(Link& link, Told& told, const FolderSink& sink)
        : link_(link), told_(told), sink_(sink) {}

    void inbox() {
        link_.elsewhere_told();
        std::optional<FolderState> state;
        require(link_.state("INBOX", state), "STATUS INBOX");
        give("INBOX", state);
    }

    // The one folder, created when missing.
    void one(const std::string& shown, bool may_create) {
        link_.elsewhere_told();
        const std::string name = link_.to_server(shown);
        std::optional<FolderState> state;
        const Condition refused = link_.state(name, state);
        if (!state) {
            if (refused.status != Status::kOk && link_.exists(name))
                require(refused, "STATUS " + shown);
            if (!may_create) return;
            create(shown, state);
        }
        give(shown, state);
    }

    void all(const std::string& wanted, bool may_create, bool behind_look) {
        std::vector<Listed> folders =
            in_scope(behind_look ? link_.list_behind() : link_.list(true));
        complete(folders);
        for (const Listed& folder : folders) give(*folder.shown, folder.state);
        if (wanted.empty() || !may_create || known(wanted)) return;
        std::optional<FolderState> state;
        create(wanted, state);
        give(wanted, state);
    }

  private:
    // (Uses keep a folder outside; INBOX is INBOX whatever a server calls it besides.)
    std::vector<Listed> in_scope(const std::vector<Listed>& folders) {
        std::vector<Listed> out;
        for (const Listed& folder : folders) {
            listed_.push_back(folder.name);
            const bool inbox = same_mailbox(folder.name, "INBOX");
            if (folder.selectable && folder.shown && (inbox || (folder.use | folder.inside) == 0))
                out.push_back(folder);
        }
        return out;
    }

    bool known(const std::string& shown) const {
        const std::string name = link_.to_server(shown);
        return std::any_of(listed_.begin(), listed_.end(),
                           [&](const std::string& listed) { return same_mailbox(listed, name); });
    }

    // Asks for the states the list did not bring. A folder may be left out only when it is gone.
    void complete(std::vector<Listed>& folders) {
        std::vector<std::string> missing;
        for (const Listed& folder : folders)
            if (!folder.state) missing.push_back(folder.name);
        if (missing.empty()) return;
        const auto states = link_.states(missing);
        auto state = states.begin();
        for (Listed& folder : folders)
            if (!folder.state) folder.state = *state++;
        folders.erase(std::remove_if(folders.begin(), folders.end(),
                                     [this](const Listed& folder) {
                                         return !folder.state && !link_.exists(folder.name);
                                     }),
                      folders.end());
    }

    void create(const std::string& shown, std::optional<FolderState>& state) {
        const std::string name = link_.to_server(shown);
        link_.create(name);
        require(link_.state(name, state), "STATUS " + shown);
    }

    // One whose state the server does not tell is there all the same: to look at it tells why.
    void give(const std::string& shown, std::optional<FolderState> state) {
        ToldFolder& told = told_[link_.to_server(shown)];
        if (!state) state.emplace();
        // Without QRESYNC an expunge need not change the mod-sequence (RFC 7162 section 3.1).
        if (!link_.qresync() && told.looked_messages != state->messages) state->modseq = 0;
        told.state = *state;
        vm_folder folder{};
        folder.struct_size = sizeof folder;
        folder.name = shown.c_str();
        folder.uidvalidity = state->uidvalidity;
        folder.uid_next = state->uid_next;
        folder.messages = state->messages;
        folder.modseq = state->modseq;
        sink_(folder);
    }

    Link& link_;
    Told& told_;
    const FolderSink& sink_;
    std::vector<std::string> listed_;
};

}  // namespace

void give_folders(Link& link, const vm_scope& scope, Told& told, const FolderSink& sink) {
    const std::string wanted = scope.folder == nullptr ? "" : scope.folder;
    const bool may_create = scope.read_only == 0;
    Listing listing(link, told, sink);
    if (scope.mode == VM_SCOPE_INBOX)
        listing.inbox();
    else if (scope.mode == VM_SCOPE_FOLDER)
        listing.one(wanted, may_create);
    else
        listing.all(wanted, may_create, scope.behind_look != 0);
}

}  // namespace vm::plug::imap
