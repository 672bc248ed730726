// A server's certificate as a person is told of it, and what is wrong with it. Thread: any.
#ifndef VM_DIAGNOSE_CERTIFICATE_H
#define VM_DIAGNOSE_CERTIFICATE_H

#include "diagnose/finding.h"

#include <openssl/x509.h>

#include <string>

namespace vm::diagnose {

Certificate read_certificate(X509* certificate);

// What speaks against it for `host`, a name or an address; `verified`: OpenSSL's X509_V_... of its
// chain. kNone: nothing. Of several things the one that a person can do most about.
Fault certificate_fault(X509* certificate, long verified, const std::string& host);

// "smtp.example.com, *.example.com", the first of them.
std::string names_in(const Certificate& certificate);
// "smtp.example.com, *.example.com, by "R3", till 2027-01-02 (40 days)"
std::string describe(const Certificate& certificate, TimeMs now);

// So long before its end a certificate is worth a note.
inline constexpr std::int64_t kSoonDays = 14;
std::int64_t days_left(const Certificate& certificate, TimeMs now);

}  // namespace vm::diagnose

#endif
