// Certificates that are made here: names, dates, and what speaks against each.
#include "diagnose/certificate.h"

#include <cppunit/extensions/HelperMacros.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <memory>

using namespace vm;
using namespace vm::diagnose;

namespace {

using X509Owner = std::unique_ptr<X509, decltype(&X509_free)>;
constexpr long kDay = 86400;

X509Owner make(const char* common_name, const char* alternatives, long from_days, long till_days) {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                  EVP_PKEY_free);
    X509Owner out(X509_new(), X509_free);
    X509_set_version(out.get(), 2);
    X509_gmtime_adj(X509_getm_notBefore(out.get()), from_days * kDay);
    X509_gmtime_adj(X509_getm_notAfter(out.get()), till_days * kDay + 60);
    X509_set_pubkey(out.get(), key.get());
    X509_NAME* name = X509_get_subject_name(out.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0);
    X509_set_issuer_name(out.get(), name);
    if (alternatives != nullptr) {
        X509_EXTENSION* extension =
            X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternatives);
        X509_add_ext(out.get(), extension, -1);
        X509_EXTENSION_free(extension);
    }
    CPPUNIT_ASSERT(X509_sign(out.get(), key.get(), EVP_sha256()) > 0);
    return out;
}

}  // namespace

class CertificateTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CertificateTest);
    CPPUNIT_TEST(reads_names_and_dates);
    CPPUNIT_TEST(without_alternatives_the_subject_is_the_name);
    CPPUNIT_TEST(names_are_harmless_and_few);
    CPPUNIT_TEST(what_speaks_against_it);
    CPPUNIT_TEST_SUITE_END();

    void reads_names_and_dates() {
        const X509Owner made = make("CA",
                                    "DNS:smtp.example.com,DNS:*.example.com,IP:192.0.2.1,"
                                    "IP:2001:db8::1",
                                    -1, 40);
        const Certificate read = read_certificate(made.get());
        const std::vector<std::string> names{"smtp.example.com", "*.example.com", "192.0.2.1",
                                             "2001:db8::1"};
        CPPUNIT_ASSERT(names == read.names);
        CPPUNIT_ASSERT_EQUAL(std::string("CA"), read.issuer);
        const TimeMs now = system_clock().now();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{40}, days_left(read, now));
        const std::string text = describe(read, now);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(
            text, std::string::size_type{0},
            text.find("smtp.example.com, *.example.com, 192.0.2.1, 2001:db8::1, by \"CA\", till "));
        CPPUNIT_ASSERT_MESSAGE(text, text.ends_with(" (40 days)"));
        CPPUNIT_ASSERT(describe(read, read.till + 1).ends_with("(over)"));
        CPPUNIT_ASSERT(describe(read, read.from - 1).ends_with(" on"));
    }

    void without_alternatives_the_subject_is_the_name() {
        const X509Owner made = make("mail.example.com", nullptr, -1, 1);
        CPPUNIT_ASSERT(std::vector<std::string>{"mail.example.com"} ==
                       read_certificate(made.get()).names);
    }

    void names_are_harmless_and_few() {
        const X509Owner hostile = make("a\nb\x1B[31m", nullptr, -1, 1);
        CPPUNIT_ASSERT_EQUAL(std::string("a b [31m"), read_certificate(hostile.get()).names.at(0));
        std::string many = "DNS:n0.example";
        for (int i = 1; i < 30; ++i) many += ",DNS:n" + std::to_string(i) + ".example";
        const X509Owner long_one = make("x", many.c_str(), -1, 1);
        const std::string text = describe(read_certificate(long_one.get()), system_clock().now());
        CPPUNIT_ASSERT_MESSAGE(text, text.find("n7.example and 22 more, by") != std::string::npos);
    }

    void what_speaks_against_it() {
        const X509Owner good = make("x", "DNS:*.example.com,IP:192.0.2.1", -1, 1);
        const auto fault = [](const X509Owner& made, long verified, const char* host) {
            return certificate_fault(made.get(), verified, host);
        };
        CPPUNIT_ASSERT(Fault::kNone == fault(good, X509_V_OK, "smtp.example.com"));
        CPPUNIT_ASSERT(Fault::kNone == fault(good, X509_V_OK, "smtp.example.com."));
        CPPUNIT_ASSERT(Fault::kNone == fault(good, X509_V_OK, "192.0.2.1"));
        CPPUNIT_ASSERT(Fault::kOtherName == fault(good, X509_V_OK, "example.com"));
        CPPUNIT_ASSERT(Fault::kOtherName == fault(good, X509_V_OK, "192.0.2.2"));
        CPPUNIT_ASSERT(Fault::kSelfSigned ==
                       fault(good, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "a.example.com"));
        CPPUNIT_ASSERT(Fault::kUnknownCa ==
                       fault(good, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "a.example.com"));
        CPPUNIT_ASSERT(Fault::kCertificate ==
                       fault(good, X509_V_ERR_INVALID_PURPOSE, "a.example.com"));
        // The date comes first: no trust and no other name would help.
        CPPUNIT_ASSERT(Fault::kExpired == fault(make("x", "DNS:a.example", -3, -1),
                                                X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
                                                "b.example"));
        CPPUNIT_ASSERT(Fault::kNotYetValid == fault(make("x", "DNS:a.example", 1, 2),
                                                    X509_V_ERR_CERT_NOT_YET_VALID, "a.example"));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(CertificateTest);
