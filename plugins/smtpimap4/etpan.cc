#include "smtpimap4/etpan.h"

#include "common/text.h"
#include "vm_transport.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <libetpan/libetpan.h>
#include <new>
#include <string_view>

namespace vm::plug::imap {

namespace {

// What the library reads: a text in memory. It takes 0 for an error, so the end is one.
struct Memory {
    std::string text;
    std::size_t at = 0;
};

ssize_t read_memory(mailstream_low* low, void* buffer, std::size_t capacity) {
    auto& memory = *static_cast<Memory*>(low->data);
    const std::size_t n = std::min(capacity, memory.text.size() - memory.at);
    if (n == 0) return -1;
    std::memcpy(buffer, memory.text.data() + memory.at, n);
    memory.at += n;
    return static_cast<ssize_t>(n);
}
ssize_t write_nothing(mailstream_low*, const void*, std::size_t) {
    return -1;
}
int close_nothing(mailstream_low*) {
    return 0;
}
int no_descriptor(mailstream_low*) {
    return -1;
}
void free_low(mailstream_low* low) {
    std::free(low);  // NOLINT(cppcoreguidelines-no-malloc): malloc made it
}

mailstream_low_driver g_driver = {
    read_memory, write_nothing, close_nothing, no_descriptor, free_low, nullptr,
    nullptr,     nullptr,       nullptr,       nullptr,       nullptr,
};

template <class Item, class Function>
void for_each(clist* list, Function function) {
    if (list == nullptr) return;
    for (clistiter* at = clist_begin(list); at != nullptr; at = clist_next(at))
        function(*static_cast<Item*>(clist_content(at)));
}

// Whether extension data is of this kind; its content is ext_data then.
bool is_extension(const mailimap_extension_data* data, int id, int type) {
    return data != nullptr && data->ext_extension != nullptr && data->ext_extension->ext_id == id &&
           data->ext_type == type && data->ext_data != nullptr;
}

// ---- FETCH ----

std::uint32_t flags_of(const mailimap_msg_att_dynamic& dynamic) {
    std::uint32_t out = 0;
    for_each<mailimap_flag_fetch>(dynamic.att_list, [&](const mailimap_flag_fetch& fetched) {
        if (fetched.fl_flag == nullptr) return;
        if (fetched.fl_flag->fl_type == MAILIMAP_FLAG_SEEN) out |= VM_FLAG_SEEN;
        if (fetched.fl_flag->fl_type == MAILIMAP_FLAG_FLAGGED) out |= VM_FLAG_FLAGGED;
        if (fetched.fl_flag->fl_type == MAILIMAP_FLAG_DELETED) out |= VM_FLAG_DELETED;
    });
    return out;
}

const char* name_of(const mailimap_section& section) {
    const mailimap_section_spec* spec = section.sec_spec;
    if (spec == nullptr) return "";
    if (spec->sec_type == MAILIMAP_SECTION_SPEC_SECTION_MSGTEXT) {
        const auto* text = spec->sec_data.sec_msgtext;
        if (text == nullptr) return "";
        if (text->sec_type == MAILIMAP_SECTION_MSGTEXT_HEADER) return "HEADER";
        return text->sec_type == MAILIMAP_SECTION_MSGTEXT_TEXT ? "TEXT" : "HEADER.FIELDS";
    }
    return spec->sec_text != nullptr ? "1.MIME" : "1";
}

void read_static(const mailimap_msg_att_static& item, FetchData& out) {
    if (item.att_type == MAILIMAP_MSG_ATT_UID) out.uid = item.att_data.att_uid;
    const auto* body = item.att_data.att_body_section;
    if (item.att_type != MAILIMAP_MSG_ATT_BODY_SECTION || body == nullptr) return;
    BodySection section{name_of(*body->sec_section), {}};
    if (body->sec_body_part != nullptr) section.bytes.assign(body->sec_body_part, body->sec_length);
    out.sections.push_back(std::move(section));
}

Response read_fetch(const mailimap_response_info& info) {
    FetchData out;
    bool any = false;
    for_each<mailimap_msg_att>(info.rsp_fetch_list, [&](const mailimap_msg_att& message) {
        any = true;
        for_each<mailimap_msg_att_item>(message.att_list, [&](const mailimap_msg_att_item& item) {
            if (item.att_type == MAILIMAP_MSG_ATT_ITEM_STATIC)
                read_static(*item.att_data.att_static, out);
            if (item.att_type == MAILIMAP_MSG_ATT_ITEM_DYNAMIC)
                out.flags = flags_of(*item.att_data.att_dyn);
        });
    });
    if (!any) return Malformed{};
    return out;
}

// ---- the others ----

Response read_vanished(const mailimap_response_info& info) {
    VanishedData out;
    bool any = false;
    for_each<mailimap_extension_data>(info.rsp_extension_list, [&](const auto& data) {
        if (!is_extension(&data, MAILIMAP_EXTENSION_QRESYNC, MAILIMAP_QRESYNC_TYPE_VANISHED))
            return;
        const auto& vanished = *static_cast<mailimap_qresync_vanished*>(data.ext_data);
        any = true;
        for_each<mailimap_set_item>(vanished.qr_known_uids->set_list, [&](const auto& range) {
            out.uids.add(range.set_first, range.set_last);
        });
    });
    if (!any) return Malformed{};
    return out;
}

Response read_list(const mailimap_response_info& info) {
    ListData out;
    bool any = false;
    for_each<mailimap_mailbox_list>(info.rsp_mailbox_list, [&](const mailimap_mailbox_list& box) {
        any = true;
        out.name = box.mb_name;
        out.delimiter = box.mb_delimiter;
        if (box.mb_flag == nullptr) return;
        if (box.mb_flag->mbf_type == MAILIMAP_MBX_LIST_FLAGS_SFLAG &&
            box.mb_flag->mbf_sflag == MAILIMAP_MBX_LIST_SFLAG_NOSELECT)
            out.attributes.emplace_back("NOSELECT");
        for_each<mailimap_mbx_list_oflag>(box.mb_flag->mbf_oflags, [&](const auto& flag) {
            if (flag.of_flag_ext != nullptr) out.attributes.push_back(upper(flag.of_flag_ext));
        });
    });
    if (!any) return Malformed{};
    return out;
}

Response read_status(const mailimap_response_info& info) {
    if (info.rsp_status == nullptr) return Malformed{};
    StatusData out;
    for_each<mailimap_status_info>(info.rsp_status->st_info_list, [&](const auto& item) {
        if (item.st_att == MAILIMAP_STATUS_ATT_MESSAGES) out.messages = item.st_value;
        if (item.st_att == MAILIMAP_STATUS_ATT_UIDNEXT) out.uid_next = item.st_value;
        if (item.st_att == MAILIMAP_STATUS_ATT_UIDVALIDITY) out.uidvalidity = item.st_value;
        if (is_extension(item.st_ext_data, MAILIMAP_EXTENSION_CONDSTORE,
                         MAILIMAP_CONDSTORE_TYPE_STATUS_INFO))
            out.modseq = static_cast<mailimap_condstore_status_info*>(item.st_ext_data->ext_data)
                             ->cs_highestmodseq_value;
    });
    return out;
}

Response read_search(const mailimap_response_info& info) {
    SearchData out;
    for_each<std::uint32_t>(info.rsp_search_result,
                            [&](const std::uint32_t& uid) { out.uids.push_back(uid); });
    return out;
}

void read_spaces(const mailimap_namespace_item* item, std::vector<NamespaceData::Space>& out) {
    if (item == nullptr) return;
    for_each<mailimap_namespace_info>(item->ns_data_list, [&](const auto& one) {
        out.push_back({one.ns_prefix, one.ns_delimiter});
    });
}

Response read_namespace(const mailimap_response_info& info) {
    NamespaceData out;
    bool any = false;
    for_each<mailimap_extension_data>(info.rsp_extension_list, [&](const auto& data) {
        if (!is_extension(&data, MAILIMAP_EXTENSION_NAMESPACE, MAILIMAP_NAMESPACE_TYPE_NAMESPACE))
            return;
        any = true;
        const auto& spaces = *static_cast<mailimap_namespace_data*>(data.ext_data);
        read_spaces(spaces.ns_personal, out.personal);
        read_spaces(spaces.ns_other, out.foreign);
        read_spaces(spaces.ns_shared, out.foreign);
    });
    if (!any) return Malformed{};
    return out;
}

Response read_of(const mailimap_response_info& info, std::string_view line) {
    if (line.starts_with("* 1 FETCH ")) return read_fetch(info);
    if (line.starts_with("* VANISHED ")) return read_vanished(info);
    if (line.starts_with("* LIST ")) return read_list(info);
    if (line.starts_with("* STATUS ")) return read_status(info);
    if (line.starts_with("* SEARCH")) return read_search(info);
    if (line.starts_with("* NAMESPACE ")) return read_namespace(info);
    return Malformed{};
}

struct ResponseFree {
    void operator()(mailimap_response* response) const { mailimap_response_free(response); }
};

}  // namespace

// A session of the library whose connection is a piece of memory.
struct Etpan::Library {
    Library() : session(mailimap_new(0, nullptr)) {
        if (session == nullptr) throw std::bad_alloc();
        mailstream_low* low = mailstream_low_new(&memory, &g_driver);
        mailstream* stream = low == nullptr ? nullptr : mailstream_new(low, 4096);
        memory.text = "* PREAUTH ready\r\n";  // what the library takes for a session that is open
        if (stream == nullptr ||
            mailimap_connect(session, stream) != MAILIMAP_NO_ERROR_AUTHENTICATED)
            throw std::bad_alloc();
    }
    ~Library() {
        // mailimap_free() would say LOGOUT on a stream that is still there.
        if (session->imap_stream != nullptr) mailstream_close(session->imap_stream);
        session->imap_stream = nullptr;
        mailimap_free(session);
    }
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;

    Memory memory;
    mailimap* session;
};

Etpan::Etpan() = default;
Etpan::~Etpan() = default;

void Etpan::rest() {
    library_.reset();
}

Response Etpan::parse(const std::string& line) {
    if (!library_) library_ = std::make_unique<Library>();
    mailimap* session = library_->session;
    library_->memory = {line + "\r\n" + std::to_string(session->imap_tag) + " OK done\r\n", 0};
    mailimap_response* response = nullptr;
    const bool good = mailimap_read_line(session) != nullptr &&
                      mailimap_parse_response(session, &response) == MAILIMAP_NO_ERROR;
    const std::unique_ptr<mailimap_response, ResponseFree> owner(response);
    if (!good || session->imap_response_info == nullptr) {
        library_.reset();  // it may be anywhere inside the line
        return Malformed{};
    }
    return read_of(*session->imap_response_info, line);
}

}  // namespace vm::plug::imap
