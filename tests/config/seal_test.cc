#include "config/seal.h"

#include "temp_root.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

using namespace vm;
using namespace vm::config;

class SealTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SealTest);
    CPPUNIT_TEST(any_bytes_survive);
    CPPUNIT_TEST(two_seals_differ);
    CPPUNIT_TEST(bound_to_mailbox_and_key);
    CPPUNIT_TEST(any_change_is_noticed);
    CPPUNIT_TEST(other_key_does_not_open);
    CPPUNIT_TEST(key_file_is_private);
    CPPUNIT_TEST(damaged_key_file_is_refused);
    CPPUNIT_TEST_SUITE_END();

    const Secret key{std::string(32, 'k')};
    const SealContext context{"101", "Smtp Password"};

    void any_bytes_survive() {
        CPPUNIT_ASSERT(rc::check("seal, unseal", [this](const std::string& text) {
            const auto sealed = seal(Secret(text), key, context);
            RC_ASSERT(is_sealed(*sealed));
            RC_ASSERT(unseal(*sealed, key, context)->reveal() == text);
        }));
        const std::string token(20000, '\xFF');
        CPPUNIT_ASSERT(unseal(*seal(Secret(token), key, context), key, context)->reveal() == token);
    }

    void two_seals_differ() {
        CPPUNIT_ASSERT(*seal(Secret("x"), key, context) != *seal(Secret("x"), key, context));
    }

    void bound_to_mailbox_and_key() {
        const std::string sealed = *seal(Secret("x"), key, context);
        CPPUNIT_ASSERT(unseal(sealed, key, {"101", "SMTP password"}));
        CPPUNIT_ASSERT(!unseal(sealed, key, {"102", "Smtp Password"}));
        CPPUNIT_ASSERT(!unseal(sealed, key, {"101", "Imap4 Password"}));
        CPPUNIT_ASSERT(unseal(sealed, key, {"102", "Smtp Password"}).error().kind ==
                       ErrorKind::kConfig);
    }

    void any_change_is_noticed() {
        const std::string sealed = *seal(Secret("secret!"), key, context);
        for (std::size_t i = 0; i < sealed.size(); ++i)
            for (const char c : {'A', 'B', '=', ' ', '\xFF'}) {
                std::string changed = sealed;
                if (changed[i] == c) continue;
                changed[i] = c;
                CPPUNIT_ASSERT(!unseal(changed, key, context));
                CPPUNIT_ASSERT(!unseal(sealed.substr(0, i), key, context));
            }
        CPPUNIT_ASSERT(!unseal(sealed + "AAAA", key, context));
    }

    void other_key_does_not_open() {
        const auto opened =
            unseal(*seal(Secret("x"), key, context), Secret(std::string(32, 'j')), context);
        CPPUNIT_ASSERT(!opened);
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                "open: Smtp Password of mailbox 101: sealed with another key, or for another "
                "mailbox or key; set it again: vmconfig mailbox set 101 \"Smtp Password=-\""),
            opened.error().text());
    }

    void key_file_is_private() {
        const TempRoot root;
        CPPUNIT_ASSERT(load_key(root.paths).error().kind == ErrorKind::kConfig);
        CPPUNIT_ASSERT(create_key(root.paths));
        CPPUNIT_ASSERT_EQUAL(mode_t{0600}, root.mode(root.paths.key_file()));
        CPPUNIT_ASSERT_EQUAL(std::size_t{32}, load_key(root.paths)->reveal().size());
        for (const mode_t mode : {mode_t{0640}, mode_t{0604}, mode_t{0620}}) {
            ::chmod(root.paths.key_file().c_str(), mode);
            const auto refused = load_key(root.paths);
            CPPUNIT_ASSERT(!refused && refused.error().kind == ErrorKind::kPermission);
            CPPUNIT_ASSERT(refused.error().hint.starts_with("chmod 600 "));
        }
    }

    void damaged_key_file_is_refused() {
        const TempRoot root;
        for (const char* text : {"", "vm-key:v1:", "vm-key:v1:AAAA", "garbage", "vm-key:v1:????"}) {
            root.write(root.paths.key_file(), text);
            const auto refused = load_key(root.paths);
            CPPUNIT_ASSERT(!refused && refused.error().kind == ErrorKind::kConfig);
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(SealTest);
