// What servers say of themselves, and who they are by their first line.
#include "diagnose/dialogue.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace vm::diagnose;

class DialogueTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DialogueTest);
    CPPUNIT_TEST(who_greets);
    CPPUNIT_TEST(abilities);
    CPPUNIT_TEST_SUITE_END();

    using Names = std::vector<std::string>;

    void who_greets() {
        CPPUNIT_ASSERT(protocol_of("220 mx.example.com ESMTP") == Protocol::kSmtp);
        CPPUNIT_ASSERT(protocol_of("554-no") == Protocol::kSmtp);
        CPPUNIT_ASSERT(protocol_of("* OK ready") == Protocol::kImap4);
        CPPUNIT_ASSERT(protocol_of("* BYE no") == Protocol::kImap4);
        CPPUNIT_ASSERT(protocol_of("+OK <1.2@x>") == Protocol::kPop3);
        CPPUNIT_ASSERT(protocol_of("-ERR no") == Protocol::kPop3);
        for (const char* other : {"", "22", "2200 x", "SSH-2.0-OpenSSH_9.2", "HTTP/1.1 400 Bad"})
            CPPUNIT_ASSERT_MESSAGE(other, !protocol_of(other));
    }

    void abilities() {
        const Abilities smtp = read_abilities(
            Protocol::kSmtp, {"SIZE 35882577", "AUTH LOGIN plain", "AUTH=LOGIN", "STARTTLS"});
        CPPUNIT_ASSERT(Names({"LOGIN", "PLAIN"}) == smtp.mechanisms);
        CPPUNIT_ASSERT(smtp.starttls && !smtp.login_disabled);
        const Abilities imap = read_abilities(
            Protocol::kImap4, {"IMAP4rev1", "LOGINDISABLED", "auth=xoauth2", "SASL"});
        CPPUNIT_ASSERT(Names({"XOAUTH2"}) == imap.mechanisms);
        CPPUNIT_ASSERT(!imap.starttls && imap.login_disabled);
        const Abilities pop3 =
            read_abilities(Protocol::kPop3, {"TOP", "SASL PLAIN", "STLS", "STARTTLS"});
        CPPUNIT_ASSERT(Names({"PLAIN"}) == pop3.mechanisms);
        CPPUNIT_ASSERT(pop3.starttls && !pop3.login_disabled);
        CPPUNIT_ASSERT(read_abilities(Protocol::kPop3, {}).all.empty());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DialogueTest);
