#include "test_ca.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <stdexcept>

namespace vm::testing {

namespace {

void need(bool ok, const char* what) {
    if (!ok) throw std::runtime_error(std::string("test CA: ") + what);
}

Key new_key() {
    return {EVP_EC_gen("P-256"), EVP_PKEY_free};
}

void extend(X509* certificate, X509* issuer, int nid, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
        X509V3_EXT_conf_nid(nullptr, &context, nid, value), X509_EXTENSION_free);
    need(extension && X509_add_ext(certificate, extension.get(), -1) == 1, value);
}

Certificate new_certificate(const char* name, const Key& key, int days) {
    static long serial = 1;
    Certificate out(X509_new(), X509_free);
    X509_set_version(out.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(out.get()), serial++);
    constexpr long kDay = 86400;
    X509_gmtime_adj(X509_getm_notBefore(out.get()), -10 * kDay);
    X509_gmtime_adj(X509_getm_notAfter(out.get()), days * kDay);
    X509_set_pubkey(out.get(), key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(out.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
    return out;
}

}  // namespace

TestCa::TestCa(const char* name) : key_(new_key()), certificate_(new_certificate(name, key_, 1)) {
    X509_set_issuer_name(certificate_.get(), X509_get_subject_name(certificate_.get()));
    extend(certificate_.get(), certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
    extend(certificate_.get(), certificate_.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    extend(certificate_.get(), certificate_.get(), NID_subject_key_identifier, "hash");
    need(X509_sign(certificate_.get(), key_.get(), EVP_sha256()) > 0, "sign");
    const std::unique_ptr<FILE, decltype(&std::fclose)> out(std::fopen(file().c_str(), "w"),
                                                            std::fclose);
    need(out && PEM_write_X509(out.get(), certificate_.get()) == 1, "write");
}

ServerTls TestCa::server(const std::string& names, int days) const {
    const Key key = new_key();
    const Certificate certificate = new_certificate("test server", key, days);
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate_.get()));
    extend(certificate.get(), certificate_.get(), NID_subject_alt_name, names.c_str());
    extend(certificate.get(), certificate_.get(), NID_ext_key_usage, "serverAuth");
    need(X509_sign(certificate.get(), key_.get(), EVP_sha256()) > 0, "sign");
    ServerTls out(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    need(SSL_CTX_use_certificate(out.get(), certificate.get()) == 1 &&
             SSL_CTX_use_PrivateKey(out.get(), key.get()) == 1,
         "context");
    return out;
}

}  // namespace vm::testing
