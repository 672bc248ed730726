// A mail's text for the ear: what a synthesiser should say at the telephone. Pure; any thread.
//
// Promise: the result is UTF-8 of printable lines; paragraphs are separated by an empty line; its
// length is bounded; time is in proportion to the text.
#ifndef VM_MIME_EAR_TEXT_H
#define VM_MIME_EAR_TEXT_H

#include "mime/read_mail.h"
#include "mime/template.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace vm::mime {

inline constexpr std::size_t kEarLimit = 3000;  // characters: some four minutes

// `text` (UTF-8, lines) with what is for the eye left out or announced in the words of `wording`,
// section [speech]:
//   lines that begin with ">", with the line above them that says who wrote them, and everything
//       behind "-----Original Message-----" and its like in other languages   [speech] quoted
//   a signature, behind "-- "                                                 left out
//   lines and runs of ====, ****, ____                                        left out
//   an address of a page                                                      [speech] link
//   a word that is longer than any (but in scripts without blanks)            cut
// Lines that were broken to fit a screen are joined again. Longer than `limit` characters, or
// `is_cut`: it ends after a sentence, and with [speech] more.
std::string ear_text(std::string_view text, const Template& wording, std::size_t limit = kEarLimit,
                     bool is_cut = false);

// What is spoken of a mail: its sender, its subject, then its text.
std::string speech_text(const MailText& mail, const Template& wording,
                        std::size_t limit = kEarLimit);

}  // namespace vm::mime

#endif
