// The library that parses responses (libetpan), kept in one place: it gets one canonical line at a
// time (filter.h), out of memory, and what it made of it is read out and freed at once. Neither the
// connection nor a command ever passes it. One thread at a time.
#ifndef VM_PLUGINS_SMTPIMAP4_ETPAN_H
#define VM_PLUGINS_SMTPIMAP4_ETPAN_H

#include "smtpimap4/response.h"

#include <memory>
#include <string>

namespace vm::plug::imap {

class Etpan {
  public:
    Etpan();
    ~Etpan();
    Etpan(const Etpan&) = delete;
    Etpan& operator=(const Etpan&) = delete;

    // The data of `line`, a result of filter.h; Malformed when the library finds none in it. (The
    // name of a STATUS is the caller's to fill in.)
    Response parse(const std::string& line);
    // Gives back the library's buffers, 9 kB; the next line has new ones made.
    void rest();

  private:
    struct Library;
    std::unique_ptr<Library> library_;
};

}  // namespace vm::plug::imap

#endif
