#include "smtppop3/drop.h"

#include "common/text.h"

#include <algorithm>
#include <cstring>
#include <functional>

namespace vm::plug::pop3 {

namespace {

using Io = Connection::Io;
using Patience = Connection::Patience;

// All replies of a visit together may take so many times as long as one.
constexpr int kRepliesAVisit = 10;
constexpr std::size_t kMostMails = 200'000;
// RFC 1939 section 7: 1 to 70 characters; some servers need more.
constexpr std::size_t kLongestUniqueId = 255;
constexpr std::size_t kKeptHeader = std::size_t{64} << 10;
constexpr std::size_t kKeptLine = std::size_t{64} << 10;
// Of a reply that goes on behind what is kept; a longer one is not read to its end.
constexpr std::size_t kLongestReply = std::size_t{16} << 20;
// UIDL's, of kMostMails.
constexpr std::size_t kLongestList = std::size_t{64} << 20;
// Lines of text have 76 characters where they are encoded (RFC 2045), and few have fewer than this.
constexpr std::size_t kShortLine = 20;

bool is_unique_id(std::string_view text) {
    return !text.empty() && text.size() <= kLongestUniqueId &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

bool is_known(const vm_drop& drop, const std::string& unique_id) {
    const char* const* end = drop.known + drop.known_count;
    const auto less = [](const char* a, const std::string& b) { return b.compare(a) > 0; };
    const char* const* at = std::lower_bound(drop.known, end, unique_id, less);
    return at != end && unique_id == *at;
}

std::string text_of(const char* text) {
    return text == nullptr ? "" : text;
}

}  // namespace

Drop::Drop(std::unique_ptr<Wire> wire, const Host& host, Counters& counters, Abilities abilities,
           std::chrono::milliseconds reply_timeout)
    : connection_(std::move(wire), host, counters),
      host_(host),
      abilities_(abilities),
      reply_timeout_(reply_timeout),
      end_(connection_.now() + kRepliesAVisit * reply_timeout) {}

// ---- the dialogue ----

void Drop::lose(vm_cause cause, const std::string& text) const {
    throw Ended(ending_of(VM_STEP_ACCOUNT, cause, one_line(text)));
}

void Drop::check(Io io, const char* what) {
    if (auto ending = ending_of(io, what, "the server talks without being asked"))
        throw Ended(std::move(*ending));
}

void Drop::send(const std::vector<std::string>& commands) {
    std::string out;
    for (const std::string& command : commands) {
        host_.trace("C: ", command);
        out += command + "\r\n";
    }
    check(connection_.send(out, std::min(connection_.now() + reply_timeout_, end_),
                           Patience::kStopWhenAsked),
          "sending a command");
}

// The next line, of which kKeptLine bytes are kept.
std::string Drop::line() {
    const Deadline deadline = std::min(connection_.now() + reply_timeout_, end_);
    std::string out;
    for (;;) {
        if (connection_.now() > deadline) check(Io::kTimeout, "waiting for an answer");
        const std::string_view text = connection_.received();
        const auto end = text.find('\n');
        const std::size_t size = std::min(end, text.size());
        out.append(text.substr(0, std::min(size, kKeptLine - out.size())));
        read_ += size + 1;
        if (end != std::string_view::npos) {
            connection_.consume(end + 1);
            if (out.ends_with('\r')) out.pop_back();
            return out;
        }
        connection_.consume(size);
        if (read_ > most_) throw Overlong{};
        check(connection_.fill(deadline, Patience::kStopWhenAsked), "waiting for an answer");
    }
}

Drop::Reply Drop::reply() {
    most_ = kLongestReply;
    read_ = 0;
    Reply out;
    out.text = line();
    // Its end is lost, and the first half of a secret may be at the cut.
    if (out.text.size() >= kKeptLine)
        lose(VM_CAUSE_PROTOCOL, "a reply of more than " + std::to_string(kKeptLine) + " bytes");
    host_.trace("S: ", out.text);
    out.ok = out.text == "+OK" || out.text.starts_with("+OK ");
    if (!out.ok && out.text != "-ERR" && !out.text.starts_with("-ERR "))
        lose(VM_CAUSE_PROTOCOL,
             "not a valid POP3 response: \"" + host_.hide(out.text, kLongestQuote) + "\"");
    return out;
}

void Drop::read_lines(const Lines& lines) {
    for (;;) {
        const std::string text = line();
        if (text == ".") return;
        if (read_ > most_) throw Overlong{};
        lines(text.starts_with('.') ? std::string_view(text).substr(1) : text);
    }
}

// ---- what there is ----

void Drop::list() {
    send({"UIDL"});
    const Reply answer = reply();
    if (!answer.ok) lose(VM_CAUSE_REPLY, "UIDL: " + answer.text);
    most_ = kLongestList;
    read_lines([&](std::string_view text) {
        const auto blank = std::min(text.find(' '), text.size());
        const auto number = text.substr(0, blank);
        const auto unique_id = text.substr(std::min(blank + 1, text.size()));
        const bool digits = !number.empty() && number.size() <= 9 &&
                            number.find_first_not_of("0123456789") == std::string_view::npos;
        if (!digits) return;
        if (mails_.size() + nameless_.size() >= kMostMails)
            lose(VM_CAUSE_PROTOCOL, "UIDL: more than " + std::to_string(kMostMails) + " messages");
        const std::size_t n = std::stoul(std::string(number));
        // One that is no unique-id cannot be recognised another time.
        if (!is_unique_id(unique_id)) {
            nameless_.insert(n);
            return;
        }
        const auto [mail, is_new] = mails_.try_emplace(n);
        if (!is_new)
            lose(VM_CAUSE_PROTOCOL, "UIDL: message " + std::to_string(n) + " a second time");
        mail->second.unique_id = unique_id;
        numbers_[std::string(unique_id)].insert(n);
    });
    host_.trace("-- ", "UIDL: " + std::to_string(mails_.size()) + " messages");
}

std::string Drop::header_command(std::size_t number) const {
    const std::string n = std::to_string(number);
    return abilities_.top ? "TOP " + n + " 0" : "RETR " + n;
}

// Reads the headers of these, which are needed.
void Drop::look_at_all(const std::set<std::size_t>& numbers) {
    const std::vector<std::size_t> all(numbers.begin(), numbers.end());
    for (std::size_t from = 0; from < all.size(); from += pace())
        look({all.begin() + static_cast<std::ptrdiff_t>(from),
              all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), from + pace()))});
    if (overlong_) lose(VM_CAUSE_PROTOCOL, "a message whose header does not end");
}

// Reads the headers of these, in one round trip.
void Drop::look(const std::vector<std::size_t>& numbers) {
    if (numbers.empty()) return;
    std::vector<std::string> commands;
    commands.reserve(numbers.size());
    for (const std::size_t number : numbers) commands.push_back(header_command(number));
    send(commands);
    for (const std::size_t number : numbers) {
        if (!reply().ok) continue;
        Mail& mail = mails_[number];
        std::string header;
        bool in_header = true;
        // What cannot be read to its end is known by its beginning, and not asked for again.
        mail.shown = true;
        try {
            read_lines([&](std::string_view text) {
                in_header = in_header && !text.empty();
                if (in_header && header.size() + text.size() < kKeptHeader)
                    header.append(text).append("\n");
            });
        } catch (const Overlong&) {
            overlong_ = true;
        }
        mail.identity = identify(header);
        if (!mail.identity.id.empty()) by_id_[mail.identity.id].push_back(number);
        if (mail.identity.id.empty() && !mail.identity.message_id.empty())
            by_message_id_[mail.identity.message_id].push_back(number);
        if (overlong_) return;
    }
}

// Whether its unique-id says which mail it is.
bool Drop::is_named(const vm_drop_removal& removal) const {
    return !renumbered_ && removal.unique_id != nullptr && *removal.unique_id != '\0';
}

// The mails that are the removal's, by what their headers say.
std::vector<std::size_t> Drop::matches(const vm_drop_removal& removal) const {
    const std::string id = text_of(removal.id), message_id = text_of(removal.message_id);
    std::vector<std::size_t> candidates, out;
    if (is_named(removal)) {
        const std::set<std::size_t>& numbers = numbers_of(removal.unique_id);
        candidates.assign(numbers.begin(), numbers.end());
    } else {
        for (const auto& [index, key] : {std::pair{&by_id_, &id}, {&by_message_id_, &message_id}})
            if (const auto at = index->find(*key); at != index->end())
                candidates.insert(candidates.end(), at->second.begin(), at->second.end());
    }
    for (const std::size_t number : candidates)
        if (const Mail& mail = mails_.at(number);
            mail.shown && is_message(mail.identity, id, message_id))
            out.push_back(number);
    return out;
}

// Those with this unique-id: one, but where a server calls more mails the same.
const std::set<std::size_t>& Drop::numbers_of(const std::string& unique_id) const {
    static const std::set<std::size_t> none;
    const auto at = numbers_.find(unique_id);
    return at == numbers_.end() ? none : at->second;
}

// Of the mails that were looked at before, those that a removal may be about. The unique-id that
// several mails have was kept for one of them alone: any of them may be looked for without it.
std::set<std::size_t> Drop::known_candidates(const vm_drop& drop) const {
    std::set<std::size_t> out;
    bool unnamed = false;
    for (std::size_t i = 0; i < drop.removal_count; ++i) {
        unnamed = unnamed || !is_named(drop.removals[i]);
        const std::string unique_id = text_of(drop.removals[i].unique_id);
        const std::set<std::size_t>& numbers = numbers_of(unique_id);
        if (is_known(drop, unique_id)) out.insert(numbers.begin(), numbers.end());
    }
    for (const auto& [unique_id, numbers] : numbers_)
        if (unnamed && numbers.size() > 1 && is_known(drop, unique_id))
            out.insert(numbers.begin(), numbers.end());
    return out;
}

// The messages that are new to the host, the newest first.
void Drop::look_for_new(const vm_drop& drop, const vm_drop_sink& sink) {
    std::vector<std::size_t> fresh;
    for (auto mail = mails_.rbegin(); mail != mails_.rend(); ++mail)
        if (!is_known(drop, mail->second.unique_id)) fresh.push_back(mail->first);
    std::vector<const vm_drop_removal*> sought;
    for (std::size_t i = 0; i < drop.removal_count; ++i)
        if (!is_named(drop.removals[i])) sought.push_back(&drop.removals[i]);
    const auto wants_more = [&] {
        sought.erase(
            std::remove_if(sought.begin(), sought.end(),
                           [&](const auto* removal) { return !matches(*removal).empty(); }),
            sought.end());
        return !sought.empty();
    };
    for (std::size_t from = 0; from < fresh.size() && (drop.every != 0 || wants_more());
         from += pace()) {
        const std::size_t to = std::min(fresh.size(), from + pace());
        const std::vector<std::size_t> piece(fresh.begin() + static_cast<std::ptrdiff_t>(from),
                                             fresh.begin() + static_cast<std::ptrdiff_t>(to));
        look(piece);
        for (const std::size_t number : piece) {
            Mail& mail = mails_[number];
            if (!mail.shown) continue;
            // What has a field for the id without one that can be believed, is nobody's by its
            // Message-ID either.
            const bool nobodys = mail.identity.id.empty() && mail.identity.has_id_field;
            const vm_drop_mail told{sizeof told, mail.unique_id.c_str(), mail.identity.id.c_str(),
                                    nobodys ? "" : mail.identity.message_id.c_str()};
            mail.wanted = sink.mail(sink.context, &told) != 0;
        }
        if (!overlong_) continue;
        // The last one shown: there will be no more of it another time.
        for (auto number = piece.rbegin(); number != piece.rend(); ++number) {
            const Mail& mail = mails_[*number];
            if (!mail.shown) continue;
            if (mail.wanted) sink.content(sink.context, mail.unique_id.c_str(), "", 0);
            break;
        }
        lose(VM_CAUSE_PROTOCOL, "a message whose header does not end");
    }
}

void Drop::read_wanted(const vm_drop& drop, const vm_drop_sink& sink) {
    const std::string lines = " " + std::to_string(drop.content_size / kShortLine + 1);
    for (auto mail = mails_.rbegin(); mail != mails_.rend(); ++mail) {
        if (!mail->second.wanted) continue;
        const std::string n = std::to_string(mail->first);
        std::string command = (abilities_.top ? "TOP " : "RETR ") + n;
        if (abilities_.top) command += lines;
        send({command});
        std::string content;
        bool whole = true;
        if (reply().ok) {
            try {
                read_lines([&](std::string_view text) {
                    const std::size_t room = drop.content_size - content.size();
                    if (text.size() + 2 <= room)
                        content.append(text).append("\r\n");
                    else
                        content.append(text.substr(0, room));
                });
            } catch (const Overlong&) {
                whole = false;
            }
        }
        sink.content(sink.context, mail->second.unique_id.c_str(), content.data(), content.size());
        if (!whole) lose(VM_CAUSE_PROTOCOL, "a message that does not end");
    }
}

void Drop::visit(const vm_drop& drop, const vm_drop_sink& sink) {
    list();
    std::size_t gone = 0;
    for (std::size_t i = 0; i < drop.known_count; ++i) {
        if (numbers_.count(drop.known[i]) != 0) continue;
        sink.gone(sink.context, drop.known[i]);
        ++gone;
    }
    renumbered_ = gone > 0 && gone == drop.known_count && !mails_.empty();
    look_at_all(known_candidates(drop));
    look_for_new(drop, sink);
    look_at_namesakes(drop);
    read_wanted(drop, sink);
    quit(doomed(drop, sink));
    tell(drop, sink);
}

bool Drop::find(const std::string& id) {
    list();
    bool found = false;
    std::set<std::size_t, std::greater<>> numbers(nameless_.begin(), nameless_.end());
    for (const auto& [number, mail] : mails_) numbers.insert(number);
    std::vector<std::size_t> piece;
    for (auto number = numbers.begin(); number != numbers.end() && !found; ++number) {
        piece.push_back(*number);
        if (piece.size() < pace() && std::next(number) != numbers.end()) continue;
        look(piece);
        if (overlong_) lose(VM_CAUSE_PROTOCOL, "a message whose header does not end");
        found = std::any_of(piece.begin(), piece.end(), [&](std::size_t looked_at) {
            const Identity& identity = mails_[looked_at].identity;
            return identity.id == id || (identity.id.empty() && !identity.has_id_field &&
                                         is_message_id_of(identity.message_id, id));
        });
        piece.clear();
    }
    quit({});
    return found;
}

}  // namespace vm::plug::pop3
