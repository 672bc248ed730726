#include "base/secret.h"

#include <cppunit/extensions/HelperMacros.h>
#include <fmt/format.h>

#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

namespace {

using vm::Secret;

template <class T>
concept Printable = requires(std::ostream& out, const T& value) {
    out << value;
};

// DESIGN "Secrets have no printable form".
static_assert(!Printable<Secret>);
static_assert(!fmt::is_formattable<Secret>::value);
static_assert(!std::is_convertible_v<Secret, std::string>);
static_assert(!std::is_convertible_v<std::string, Secret>);

class SecretTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SecretTest);
    CPPUNIT_TEST(moving_leaves_nothing_behind);
    CPPUNIT_TEST(copies_are_equal);
    CPPUNIT_TEST(memory_is_cleared);
    CPPUNIT_TEST_SUITE_END();

    void moving_leaves_nothing_behind() {
        Secret from("hunter2");
        Secret to(std::move(from));
        CPPUNIT_ASSERT(from.empty());
        CPPUNIT_ASSERT_EQUAL(std::string("hunter2"), to.reveal());
        from = std::move(to);
        CPPUNIT_ASSERT(to.empty());
        CPPUNIT_ASSERT_EQUAL(std::string("hunter2"), from.reveal());
    }

    void copies_are_equal() {
        const Secret one("hunter2");
        Secret two;
        CPPUNIT_ASSERT(two.empty() && !(one == two));
        two = one;
        CPPUNIT_ASSERT(one == two && !one.empty());
    }

    void memory_is_cleared() {
        Secret secret(std::string(100, 's'));  // on the heap
        const char* memory = secret.reveal().data();
        secret = Secret("a");  // keeps the buffer, so looking at it is allowed
        CPPUNIT_ASSERT(secret.reveal().data() == memory);
        CPPUNIT_ASSERT_EQUAL(std::string("a"), std::string(memory));
        for (int i = 2; i < 100; ++i) CPPUNIT_ASSERT_EQUAL('\0', memory[i]);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SecretTest);

}  // namespace
