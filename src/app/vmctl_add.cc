// vmctl message add: the way in for the telephony side. A message is stored whenever it can be;
// what the mailbox's options say decides only whether it is queued for e-mail.
#include "agent/control.h"
#include "agent/incoming.h"
#include "app/vmctl_commands.h"
#include "app/vmctl_output.h"
#include "base/files.h"
#include "base/ids.h"
#include "base/text.h"
#include "store/store.h"

#include <csignal>
#include <iostream>
#include <memory>
#include <unistd.h>

namespace vm::app {

namespace {

struct AddOptions {
    std::string mailbox, kind, file, caller_number, caller_name, received, origin;
    bool urgent = false, is_private = false;
};

// What comes on standard input, as a file for as long as the object lives: who may not read a file
// can be handed it open.
class StandardInput {
  public:
    ~StandardInput() {
        if (!path_.empty()) ::unlink(path_.c_str());
    }
    Result<std::filesystem::path> take(const Paths& paths) {
        const std::filesystem::path path = paths.spool() / (new_id() + ".in");
        VM_TRY(copy_to_new_file(STDIN_FILENO, path, 0600));
        path_ = path;
        return path;
    }

  private:
    std::filesystem::path path_;
};

Result<> add(const Paths& paths, const AddOptions& options, VmctlContext& context) {
    Message message;
    message.mailbox = options.mailbox;
    message.kind = parse_message_kind(options.kind).value_or(MessageKind::kVoice);
    message.urgent = options.urgent;
    message.is_private = options.is_private;
    message.caller_number = options.caller_number;
    message.caller_name = options.caller_name;
    message.origin = options.origin;
    message.received = system_clock().now();
    if (!options.received.empty()) {
        const auto time = parse_rfc3339(options.received);
        if (!time)
            return fail(ErrorKind::kUsage, "--received", options.received, "it is no RFC 3339 time",
                        "write 2026-11-22T02:30:29+01:00");
        message.received = *time;
    }
    StandardInput input;
    std::filesystem::path file = options.file;
    const bool is_input = file == "-";
    if (is_input) {
        VM_ASSIGN(file, input.take(paths));
    }
    VM_ASSIGN(store::NewMessage incoming,
              agent::incoming_message(message, file, is_input ? "standard input" : ""));

    VM_ASSIGN(const std::unique_ptr<store::Store> store, store::Store::open(paths));
    VM_ASSIGN(const agent::Added added, agent::add_message(paths, *store, std::move(incoming)));
    const std::string& id = added.id;
    if (added.trouble) warn(added.trouble->text() + " (the message is stored all the same)");
    // Who does not listen any more must not be told by a signal, which says nothing of the message.
    ::signal(SIGPIPE, SIG_IGN);
    context.done = "the message is stored as " + id + " and must not be added again";
    if (context.json)
        print_json(std::cout, {{"id", id}});
    else
        std::cout << id << '\n';
    // Before the poke, so that the id is never seen in the mail first.
    std::cout.flush();
    agent::poke(paths, message.mailbox);
    return {};
}

}  // namespace

void add_message_add(CLI::App& message, VmctlContext& context) {
    const auto options = std::make_shared<AddOptions>();
    CLI::App* sub = context.command(
        message, "add", "Store a recording or fax as a new message and print its id",
        "vmctl message add --mailbox 101 --kind voice --file /tmp/rec.wav --caller-number 4711",
        [&context, options](const Paths& paths) { return add(paths, *options, context); });
    sub->add_option("--mailbox", options->mailbox, "Mailbox that gets it")
        ->type_name("NNN")
        ->required();
    sub->add_option("--kind", options->kind, "What it is")
        ->type_name("voice|fax")
        ->required()
        ->check([](const std::string& value) {
            const auto kind = parse_message_kind(value);
            const bool taken = kind == MessageKind::kVoice || kind == MessageKind::kFax;
            return taken ? "" : value + " is neither voice nor fax";
        });
    sub->add_option("--file", options->file,
                    "WAV recording or TIFF fax; copied; - is standard input")
        ->type_name("F")
        ->required();
    sub->add_option("--caller-number", options->caller_number, "Number as signalled")
        ->type_name("N");
    sub->add_option("--caller-name", options->caller_name, "Name as signalled")->type_name("S");
    sub->add_option("--received", options->received, "When it was taken (default: now)")
        ->type_name("RFC3339");
    sub->add_option("--origin", options->origin,
                    "What the source calls it; a second call with the same KEY adds nothing")
        ->type_name("KEY")
        ->check(kNotEmpty);
    sub->add_flag("--urgent", options->urgent, "Mark it urgent");
    sub->add_flag("--private", options->is_private, "Mark it private");
}

}  // namespace vm::app
