#include "diagnose/certificate.h"

#include "base/text.h"

#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <array>
#include <ctime>
#include <memory>

namespace vm::diagnose {

namespace {

constexpr std::size_t kMostNames = 8;
constexpr std::int64_t kDayMs = 86'400'000;

std::string text_of(const ASN1_STRING* text) {
    unsigned char* utf8 = nullptr;
    const int size = ASN1_STRING_to_UTF8(&utf8, text);
    if (size < 0) return {};
    std::string out(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
    OPENSSL_free(utf8);
    return sanitize_line(out, 100);
}

std::string part_of(const X509_NAME* name, int nid) {
    const int at = X509_NAME_get_index_by_NID(name, nid, -1);
    if (at < 0) return {};
    return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
}

std::string address_of(const ASN1_OCTET_STRING* bytes) {
    std::array<char, INET6_ADDRSTRLEN> out{};
    const int size = ASN1_STRING_length(bytes);
    if (size != 4 && size != 16) return {};
    ::inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(bytes), out.data(),
                out.size());
    return out.data();
}

std::vector<std::string> names_of(X509* certificate) {
    std::vector<std::string> out;
    const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> all(
        static_cast<GENERAL_NAMES*>(
            X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
        GENERAL_NAMES_free);
    for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(all.get(), i);
        std::string text = name->type == GEN_DNS     ? text_of(name->d.dNSName)
                           : name->type == GEN_IPADD ? address_of(name->d.iPAddress)
                                                     : std::string();
        if (!text.empty()) out.push_back(std::move(text));
    }
    if (out.empty()) {
        std::string common = part_of(X509_get_subject_name(certificate), NID_commonName);
        if (!common.empty()) out.push_back(std::move(common));
    }
    return out;
}

TimeMs time_of(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return 0;
    return static_cast<TimeMs>(::timegm(&parts)) * 1000;
}

bool names_host(X509* certificate, std::string host) {
    if (host.ends_with('.')) host.pop_back();
    return X509_check_host(certificate, host.data(), host.size(), 0, nullptr) == 1 ||
           X509_check_ip_asc(certificate, host.c_str(), 0) == 1;
}

}  // namespace

Certificate read_certificate(X509* certificate) {
    Certificate out;
    out.names = names_of(certificate);
    const X509_NAME* issuer = X509_get_issuer_name(certificate);
    out.issuer = part_of(issuer, NID_commonName);
    if (out.issuer.empty()) out.issuer = part_of(issuer, NID_organizationName);
    out.from = time_of(X509_get0_notBefore(certificate));
    out.till = time_of(X509_get0_notAfter(certificate));
    return out;
}

Fault certificate_fault(X509* certificate, long verified, const std::string& host) {
    // What no trust and no other name would cure comes first.
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) return Fault::kExpired;
    if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) return Fault::kNotYetValid;
    switch (verified) {
        case X509_V_OK:
            return names_host(certificate, host) ? Fault::kNone : Fault::kOtherName;
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return Fault::kSelfSigned;
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_CERT_UNTRUSTED:
            return Fault::kUnknownCa;
        default:
            return Fault::kCertificate;
    }
}

std::int64_t days_left(const Certificate& certificate, TimeMs now) {
    return (certificate.till - now) / kDayMs;
}

std::string names_in(const Certificate& certificate) {
    std::vector<std::string> names = certificate.names;
    const std::size_t more = names.size() > kMostNames ? names.size() - kMostNames : 0;
    names.resize(names.size() - more);
    std::string out = names.empty() ? "no name" : join(names, ", ");
    if (more > 0) out += " and " + std::to_string(more) + " more";
    return out;
}

std::string describe(const Certificate& certificate, TimeMs now) {
    std::string out = names_in(certificate);
    if (!certificate.issuer.empty()) out += ", by \"" + certificate.issuer + "\"";
    if (certificate.from > now)
        return out + ", from " + format_rfc3339(certificate.from).substr(0, 10) + " on";
    const std::int64_t days = days_left(certificate, now);
    return out + ", till " + format_rfc3339(certificate.till).substr(0, 10) +
           (certificate.till < now ? " (over)"
            : days == 1            ? " (1 day)"
                                   : " (" + std::to_string(days) + " days)");
}

}  // namespace vm::diagnose
