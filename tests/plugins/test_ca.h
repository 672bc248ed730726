// A certificate authority that lives as long as a test, and the certificates it gives.
#ifndef VM_TESTS_PLUGINS_TEST_CA_H
#define VM_TESTS_PLUGINS_TEST_CA_H

#include "../base/temporary_directory.h"

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace vm::testing {

using Key = std::shared_ptr<EVP_PKEY>;
using Certificate = std::shared_ptr<X509>;
using ServerTls = std::shared_ptr<SSL_CTX>;

class TestCa {
  public:
    explicit TestCa(const char* name = "vmemail test CA");

    // The CA's certificate as a PEM file.
    std::string file() const { return (directory_.path() / "ca.pem").string(); }

    // A server's context with a certificate for `names` ("DNS:localhost", "IP:127.0.0.1", joined by
    // commas), valid from yesterday until `days` from now (negative: expired).
    ServerTls server(const std::string& names, int days = 1) const;

  private:
    TemporaryDirectory directory_;
    Key key_;
    Certificate certificate_;
};

}  // namespace vm::testing

#endif
