#include "common/dot_stuffer.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

namespace vm::plug {

namespace {

std::string encode(const std::vector<std::string>& pieces) {
    DotStuffer stuffer;
    std::string out;
    for (const std::string& piece : pieces) stuffer.feed(piece, out);
    stuffer.finish(out);
    return out;
}

// What the server makes of it (RFC 5321 section 4.5.2): lines without their first dot. Fails on
// anything that is not a line of CRLF, and on a lone dot, which would end the data early.
std::string decode(const std::string& data) {
    std::string out;
    for (std::size_t at = 0; at < data.size();) {
        const auto end = data.find("\r\n", at);
        RC_ASSERT(end != std::string::npos);
        std::string line = data.substr(at, end - at);
        RC_ASSERT(line.find_first_of("\r\n") == std::string::npos);
        RC_ASSERT(line != ".");
        if (line.starts_with('.')) line.erase(0, 1);
        out += line + "\r\n";
        at = end + 2;
    }
    return out;
}

// The message with its line ends made CRLF, the slow way.
std::string canonical(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\r' || text[i] == '\n') {
            if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
            out += "\r\n";
        } else {
            out += text[i];
        }
    }
    if (!out.empty() && !out.ends_with("\r\n")) out += "\r\n";
    return out;
}

// Text in which dots and line ends meet often.
rc::Gen<std::string> nasty_text() {
    return rc::gen::container<std::string>(
        rc::gen::oneOf(rc::gen::element('.', '\r', '\n', 'a'), rc::gen::arbitrary<char>()));
}

// Most of it lines as they should be.
rc::Gen<std::string> lines_of_text() {
    return rc::gen::map(rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
                            "\r\n", "a\r\n", "\r\n", ".", "\r", "\n", "a")),
                        [](const std::vector<std::string>& parts) {
                            std::string out;
                            for (const std::string& part : parts) out += part;
                            return out;
                        });
}

class DotStufferTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DotStufferTest);
    CPPUNIT_TEST(examples);
    CPPUNIT_TEST(server_gets_the_message_back);
    CPPUNIT_TEST(pieces_do_not_matter);
    CPPUNIT_TEST(what_passes_is_its_own_encoding);
    CPPUNIT_TEST_SUITE_END();

    void examples() {
        const std::pair<std::string, std::string> examples[] = {
            {"", ""},
            {"a", "a\r\n"},
            {"a\r\n", "a\r\n"},
            {".", "..\r\n"},
            {".\r\n", "..\r\n"},
            {"..\r\na.b\r\n", "...\r\na.b\r\n"},
            {"a\n.\nb", "a\r\n..\r\nb\r\n"},
            {"a\r.\rb", "a\r\n..\r\nb\r\n"},
            {"a\r\r\n\n", "a\r\n\r\n\r\n"},
        };
        for (const auto& [text, wire] : examples) CPPUNIT_ASSERT_EQUAL(wire, encode({text}));
    }

    void server_gets_the_message_back() {
        CPPUNIT_ASSERT(rc::check("decode(encode(m)) is m with CRLF", [] {
            const std::string text = *nasty_text();
            RC_ASSERT(decode(encode({text})) == canonical(text));
        }));
    }

    void pieces_do_not_matter() {
        CPPUNIT_ASSERT(rc::check("cut anywhere, encoded the same", [] {
            const auto pieces = *rc::gen::container<std::vector<std::string>>(nasty_text());
            std::string whole;
            for (const std::string& piece : pieces) whole += piece;
            RC_ASSERT(encode(pieces) == encode({whole}));
        }));
    }

    void what_passes_is_its_own_encoding() {
        CPPUNIT_ASSERT(rc::check("a piece that passes may be sent as it is", [] {
            const auto pieces = *rc::gen::container<std::vector<std::string>>(lines_of_text());
            DotStuffer stuffer;
            std::string out;
            for (const std::string& piece : pieces) {
                if (stuffer.passes(piece))
                    out += piece;
                else
                    stuffer.feed(piece, out);
            }
            stuffer.finish(out);
            RC_ASSERT(out == encode(pieces));
        }));
        DotStuffer stuffer;
        CPPUNIT_ASSERT(stuffer.passes("a.\r\n\r\n b"));
        CPPUNIT_ASSERT(stuffer.passes(".\r\n"));  // behind the b
        for (const char* piece : {".", "a\n", "\n", "a\rb\r\n", "a\r"})
            CPPUNIT_ASSERT(!stuffer.passes(piece));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DotStufferTest);

}  // namespace

}  // namespace vm::plug
