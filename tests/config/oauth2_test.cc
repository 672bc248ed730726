// The Mailbox Options that begin with OAuth2, and the providers' table.
#include "config/edit.h"
#include "config/mailbox_options.h"
#include "config/oauth2_options.h"
#include "config/oauth2_providers.h"
#include "temp_root.h"

#include <cppunit/extensions/HelperMacros.h>

#include <memory>

using namespace vm;
using namespace vm::config;

class OAuth2OptionsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OAuth2OptionsTest);
    CPPUNIT_TEST(without_a_provider_passwords_are_tokens);
    CPPUNIT_TEST(microsoft);
    CPPUNIT_TEST(scope_is_what_the_servers_need);
    CPPUNIT_TEST(google);
    CPPUNIT_TEST(options_override_the_table);
    CPPUNIT_TEST(endpoints);
    CPPUNIT_TEST(what_belongs_together);
    CPPUNIT_TEST(the_secret_is_sealed);
    CPPUNIT_TEST(presets_are_valid);
    CPPUNIT_TEST(a_preview_writes_nothing);
    CPPUNIT_TEST(providers_by_name);
    CPPUNIT_TEST_SUITE_END();

    std::unique_ptr<TempRoot> root;

  public:
    void setUp() override { root = std::make_unique<TempRoot>(); }
    void tearDown() override { root.reset(); }

  private:
    Result<MailboxOptions> mailbox(const std::string& text) {
        root->write(root->paths.mailbox_ini("101"), "[Email]\n" + text, 0600);
        return load_mailbox(root->paths, "101");
    }
    MailboxOptions good(const std::string& text) {
        auto loaded = mailbox(text);
        CPPUNIT_ASSERT_MESSAGE(loaded ? "" : loaded.error().text(), loaded.has_value());
        return *loaded;
    }
    void bad(const std::string& text, const std::string& part) {
        const auto loaded = mailbox(text);
        CPPUNIT_ASSERT_MESSAGE("accepted: " + text, !loaded);
        CPPUNIT_ASSERT_MESSAGE(loaded.error().text(),
                               loaded.error().text().find(part) != std::string::npos);
    }

    static constexpr const char* kOn =
        "Email Integration = Yes\nEmail Name = a@b.example\nSmtp Server = s\nSmtp SSL = Yes\n"
        "Smtp Account = a@b.example\nSmtp Authentication = XOAuth2\n";

    void without_a_provider_passwords_are_tokens() {
        const MailboxOptions options = good(std::string(kOn) + "Smtp Password = token\n");
        CPPUNIT_ASSERT(!options.takes_token(options.smtp));
        CPPUNIT_ASSERT_EQUAL(std::string("token"), options.smtp.password.reveal());
        bad(kOn, "needs Smtp Password");
        CPPUNIT_ASSERT(good("Smtp Authentication = oauthbearer\nSmtp SSL = Yes\n").smtp.auth ==
                       Auth::kOAuthBearer);
        CPPUNIT_ASSERT(good("Imap4 Authentication = OAUTHBEARER\n").imap4.auth ==
                       Auth::kOAuthBearer);
        CPPUNIT_ASSERT(good("").pop3.auth == Auth::kPlain);
        CPPUNIT_ASSERT(good("Pop3 Authentication = XOAuth2\n").pop3.auth == Auth::kXOAuth2);
    }

    void microsoft() {
        const MailboxOptions options =
            good(std::string(kOn) + "OAuth2 Provider = microsoft\nOAuth2 Client ID = id\n");
        CPPUNIT_ASSERT(options.takes_token(options.smtp));
        CPPUNIT_ASSERT(!options.takes_token(options.imap4));  // Plain
        CPPUNIT_ASSERT_EQUAL(
            std::string("https://login.microsoftonline.com/common/oauth2/v2.0/token"),
            options.oauth2.token_endpoint);
        CPPUNIT_ASSERT_EQUAL(
            std::string("https://login.microsoftonline.com/common/oauth2/v2.0/devicecode"),
            options.oauth2.device_endpoint);
        const OAuth2 tenant = good(
                                  "OAuth2 Provider = Microsoft\nOAuth2 Tenant = example.com\n"
                                  "OAuth2 Client ID = id\nOAuth2 Flow = client credentials\n"
                                  "OAuth2 Client Secret = s\n")
                                  .oauth2;
        CPPUNIT_ASSERT_EQUAL(
            std::string("https://login.microsoftonline.com/example.com/oauth2/v2.0/token"),
            tenant.token_endpoint);
        CPPUNIT_ASSERT_EQUAL(std::string("https://outlook.office365.com/.default"), tenant.scope);
        CPPUNIT_ASSERT(check_oauth2(tenant));
    }

    void scope_is_what_the_servers_need() {
        const std::string base =
            std::string(kOn) + "OAuth2 Provider = Microsoft\nOAuth2 Client ID = id\n";
        const std::string org = "https://outlook.office.com/";
        CPPUNIT_ASSERT_EQUAL(org + "SMTP.Send offline_access", good(base).oauth2.scope);
        CPPUNIT_ASSERT_EQUAL(org + "SMTP.Send " + org + "IMAP.AccessAsUser.All offline_access",
                             good(base + "Imap4 Authentication = XOAuth2\n").oauth2.scope);
        CPPUNIT_ASSERT_EQUAL(org + "SMTP.Send " + org + "POP.AccessAsUser.All offline_access",
                             good(base + "Pop3 Authentication = OAuthBearer\n").oauth2.scope);
    }

    void google() {
        const OAuth2 oauth2 =
            good(std::string(kOn) + "OAuth2 Provider = Google\nOAuth2 Client ID = id\n" +
                 "Imap4 Authentication = XOAuth2\n")
                .oauth2;
        CPPUNIT_ASSERT_EQUAL(std::string("https://mail.google.com/"), oauth2.scope);
        CPPUNIT_ASSERT_EQUAL(std::string("https://oauth2.googleapis.com/token"),
                             oauth2.token_endpoint);
        CPPUNIT_ASSERT(oauth2.device_endpoint.empty());
        CPPUNIT_ASSERT(!oauth2.authorization_endpoint.empty());
        bad(std::string(kOn) +
                "OAuth2 Provider = Google\nOAuth2 Client ID = id\nOAuth2 Client Secret = s\n"
                "OAuth2 Flow = Client Credentials\n",
            "Google gives no access to mail by Client Credentials");
    }

    void options_override_the_table() {
        const OAuth2 oauth2 =
            good(
                "OAuth2 Provider = Google\nOAuth2 Client ID = id\nOAuth2 Scope = a b\n"
                "OAuth2 Token Endpoint = https://proxy.example/token\n"
                "OAuth2 Device Endpoint = https://proxy.example/device\n"
                "OAuth2 Authorize Endpoint = https://proxy.example/page?x=y\n")
                .oauth2;
        CPPUNIT_ASSERT_EQUAL(std::string("https://proxy.example/token"), oauth2.token_endpoint);
        CPPUNIT_ASSERT_EQUAL(std::string("https://proxy.example/device"), oauth2.device_endpoint);
        CPPUNIT_ASSERT_EQUAL(std::string("https://proxy.example/page?x=y"),
                             oauth2.authorization_endpoint);
        CPPUNIT_ASSERT_EQUAL(std::string("a b"), oauth2.scope);
    }

    void endpoints() {
        for (const char* url :
             {"https://a", "HTTPS://a.b-c:8443/x/y?z=1", "https://[2001:db8::1]:443/t",
              "http://127.0.0.1:8080/token", "http://localhost/token", "http://[::1]:1/x"})
            CPPUNIT_ASSERT_MESSAGE(url, is_endpoint(url));
        for (const char* url :
             {"", "https://", "https:///x", "http://example.com/token", "ftp://a", "a.example",
              "https://a@b/", "https://a b/", "https://a/#f", "http://127.0.0.1.example.com/",
              "http://localhost.example.com/x", "http://127.0.0.1@evil.example/",
              "http://localhost:0/", "https://a:99999/", "https://a:x/", "file:///etc/passwd",
              "https://a\\@b/", "https://a/\xC3\xA9"})
            CPPUNIT_ASSERT_MESSAGE(url, !is_endpoint(url));
        bad("OAuth2 Token Endpoint = http://login.example.net/token\n", "https://");
        bad("OAuth2 Tenant = a/b\n", "OAuth2 Tenant");
        bad("OAuth2 Client ID = a b\n", "OAuth2 Client ID");
        bad("OAuth2 Scope = a\\b\n", "OAuth2 Scope");
        bad("OAuth2 Provider = Yahoo\n", "None, Google, Microsoft, Other");
    }

    void what_belongs_together() {
        const std::string on = kOn;
        bad(on + "OAuth2 Provider = Google\n", "OAuth2 Client ID");
        bad(on + "OAuth2 Provider = Other\nOAuth2 Client ID = id\n", "OAuth2 Token Endpoint");
        const std::string app = on +
                                "OAuth2 Provider = Microsoft\nOAuth2 Client ID = id\n"
                                "OAuth2 Flow = Client Credentials\n";
        bad(app, "OAuth2 Client Secret");
        bad(app + "OAuth2 Client Secret = s\n", "OAuth2 Tenant");
        bad(app + "OAuth2 Client Secret = s\nOAuth2 Tenant = consumers\n", "OAuth2 Tenant");
        good(app + "OAuth2 Client Secret = s\nOAuth2 Tenant = example.com\n");
        // A secret that is sealed is one.
        CPPUNIT_ASSERT(set_mailbox(root->paths, "101", {{"OAuth2 Client Secret", Secret("s")}}));
        CPPUNIT_ASSERT(load_mailbox(root->paths, "101"));
        // Not yet integrated: an option at a time.
        good("OAuth2 Provider = Microsoft\n");
        // No token over a connection that is not verified.
        bad("OAuth2 Provider = Other\nSmtp Authentication = XOAuth2\nSmtp SSL = No\n",
            "Allow Cleartext Password");
        const MailboxOptions idle = good("OAuth2 Provider = Google\nOAuth2 Client ID = id\n");
        const auto warnings = mailbox_warnings(read_mailbox(root->paths, "101").value(), idle);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, warnings.size());
        CPPUNIT_ASSERT(warnings[0].find("means nothing") != std::string::npos);
    }

    void the_secret_is_sealed() {
        CPPUNIT_ASSERT(create_mailbox(root->paths, "102"));
        CPPUNIT_ASSERT(is_secret_key("oauth2 client secret"));
        CPPUNIT_ASSERT(
            set_mailbox(root->paths, "102", {{"OAuth2 Client Secret", Secret("the-secret")}}));
        const std::string text = root->read(root->paths.mailbox_ini("102"));
        CPPUNIT_ASSERT(text.find("the-secret") == std::string::npos);
        CPPUNIT_ASSERT(text.find("OAuth2 Client Secret = sealed:v1:") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(
            std::string("the-secret"),
            load_mailbox(root->paths, "102").value().oauth2.client_secret.reveal());
    }

    void presets_are_valid() {
        for (const OAuth2Provider provider :
             {OAuth2Provider::kGoogle, OAuth2Provider::kMicrosoft}) {
            const ProviderPreset* preset = find_preset(provider);
            CPPUNIT_ASSERT(preset != nullptr);
            CPPUNIT_ASSERT(create_mailbox(root->paths, "103"));
            std::vector<MailboxEdit> edits;
            for (const auto& [key, value] : preset->servers) edits.push_back({key, Secret(value)});
            edits.push_back({"OAuth2 Provider", Secret(std::string(name_of(provider)))});
            edits.push_back({"OAuth2 Client ID", Secret("id")});
            CPPUNIT_ASSERT(set_mailbox(root->paths, "103", edits));
            const MailboxOptions options = load_mailbox(root->paths, "103").value();
            for (const Server* server : {&options.smtp, &options.imap4, &options.pop3}) {
                CPPUNIT_ASSERT(options.takes_token(*server));
                CPPUNIT_ASSERT(server->ssl != Ssl::kNo && !server->host.empty());
            }
            for (const std::string* url :
                 {&options.oauth2.token_endpoint, &options.oauth2.authorization_endpoint})
                CPPUNIT_ASSERT_MESSAGE(*url, is_endpoint(*url));
            CPPUNIT_ASSERT(check_oauth2(options.oauth2));
            CPPUNIT_ASSERT(delete_mailbox(root->paths, "103"));
        }
        CPPUNIT_ASSERT(find_preset(OAuth2Provider::kOther) == nullptr);
    }

    void a_preview_writes_nothing() {
        CPPUNIT_ASSERT(create_mailbox(root->paths, "104"));
        const std::string before = root->read(root->paths.mailbox_ini("104"));
        const auto seen = preview_mailbox(root->paths, "104",
                                          {{"Email Name", Secret("a@b.example")},
                                           {"OAuth2 Client Secret", Secret("the-secret")}});
        CPPUNIT_ASSERT(seen);
        CPPUNIT_ASSERT_EQUAL(std::string("a@b.example"), seen->email_name);
        CPPUNIT_ASSERT_EQUAL(std::string("the-secret"), seen->oauth2.client_secret.reveal());
        CPPUNIT_ASSERT_EQUAL(before, root->read(root->paths.mailbox_ini("104")));
        CPPUNIT_ASSERT(!preview_mailbox(root->paths, "104", {{"Smtp Port", Secret("many")}}));
        CPPUNIT_ASSERT(!preview_mailbox(root->paths, "105", {}));
    }

    void providers_by_name() {
        CPPUNIT_ASSERT(find_provider("GOOGLE") == OAuth2Provider::kGoogle);
        CPPUNIT_ASSERT(find_provider("other") == OAuth2Provider::kOther);
        CPPUNIT_ASSERT(!find_provider("yahoo"));
        CPPUNIT_ASSERT_EQUAL(std::string("Microsoft"),
                             std::string(name_of(OAuth2Provider::kMicrosoft)));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(OAuth2OptionsTest);
