// An e-mail as a recording for the telephone. One home for the mapping from message and
// configuration to text and voice, used by `vmctl message export`.
#ifndef VM_AGENT_EMAIL_SPEECH_H
#define VM_AGENT_EMAIL_SPEECH_H

#include "base/paths.h"
#include "config/config.h"
#include "core/message.h"

#include <filesystem>

namespace vm::agent {

// The WAV file (8 kHz, µ-law) of an e-mail whose text is `text_file`, spoken in `language` (a tag);
// made when it is not there yet, which takes seconds. Errors as media::synthesize().
Result<std::filesystem::path> speech_file(const MessageRecord& record,
                                          const std::filesystem::path& text_file,
                                          const std::string& language,
                                          const config::MiscSetup& misc, const Paths& paths);

// Removes recordings that nobody has made for a month; each can be made again.
void sweep_speech(const Paths& paths);

}  // namespace vm::agent

#endif
