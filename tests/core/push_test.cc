#include "core/push.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

namespace {

using namespace vm;
using E = DeliveryEvent;
using K = ErrorKind;

PushReport reply(PushStep step, int code) {
    PushReport report;
    report.step = step;
    report.cause = PushCause::kReply;
    report.code = code;
    return report;
}

PushReport end(PushStep step, PushCause cause) {
    PushReport report;
    report.step = step;
    report.cause = cause;
    return report;
}

const std::vector<PushStep> kSteps{PushStep::kNone,  PushStep::kConnect,  PushStep::kGreeting,
                                   PushStep::kHello, PushStep::kStartTls, PushStep::kAuth,
                                   PushStep::kMail,  PushStep::kRcpt,     PushStep::kData,
                                   PushStep::kBody,  PushStep::kDot};
const std::vector<PushCause> kCauses{
    PushCause::kReply,   PushCause::kLost,      PushCause::kTimeout,   PushCause::kDns,
    PushCause::kRefused, PushCause::kTls,       PushCause::kProtocol,  PushCause::kLocal,
    PushCause::kConfig,  PushCause::kSizeLimit, PushCause::kCancelled, PushCause::kPlugin};

class PushTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PushTest);
    CPPUNIT_TEST(the_table_of_the_manual);
    CPPUNIT_TEST(who_is_to_blame);
    CPPUNIT_TEST(who_waits);
    CPPUNIT_TEST(what_proves_a_server);
    CPPUNIT_TEST(without_a_reply);
    CPPUNIT_TEST(success_has_one_cause);
    CPPUNIT_TEST(only_a_permanent_answer_fails_a_message);
    CPPUNIT_TEST(a_lost_reply_to_the_dot_is_uncertain_and_nothing_before_is);
    CPPUNIT_TEST(what_may_have_arrived_is_not_given_up_before_it_was_looked_for);
    CPPUNIT_TEST(describes_itself_in_one_line);
    CPPUNIT_TEST_SUITE_END();

    // N4.7, row by row: the code that ended the dialogue at connect, hello, mail, rcpt, data, dot.
    void the_table_of_the_manual() {
        struct Row {
            PushStep step;
            int code;
            E event;
        };
        const Row rows[] = {
            {PushStep::kGreeting, 554, E::kDeferral}, {PushStep::kGreeting, 421, E::kDeferral},
            {PushStep::kHello, 550, E::kDeferral},    {PushStep::kHello, 450, E::kDeferral},
            {PushStep::kMail, 550, E::kFailure},      {PushStep::kMail, 451, E::kDeferral},
            {PushStep::kRcpt, 550, E::kFailure},      {PushStep::kRcpt, 450, E::kDeferral},
            {PushStep::kData, 554, E::kFailure},      {PushStep::kData, 451, E::kDeferral},
            {PushStep::kDot, 554, E::kFailure},       {PushStep::kDot, 452, E::kDeferral},
            {PushStep::kDot, 250, E::kAccepted},
        };
        for (const Row& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(
                std::string(to_string(row.step)) + " " + std::to_string(row.code),
                std::string(to_string(row.event)),
                std::string(to_string(classify(reply(row.step, row.code)).event)));
    }

    void who_is_to_blame() {
        CPPUNIT_ASSERT(classify(reply(PushStep::kAuth, 535)).kind == K::kAccount);
        CPPUNIT_ASSERT(classify(reply(PushStep::kAuth, 535)).event == E::kDeferral);
        CPPUNIT_ASSERT(classify(reply(PushStep::kAuth, 454)).kind == K::kRetryLater);
        CPPUNIT_ASSERT(classify(reply(PushStep::kMail, 530)).kind == K::kAccount);
        CPPUNIT_ASSERT(classify(reply(PushStep::kMail, 530)).event == E::kDeferral);
        CPPUNIT_ASSERT(classify(reply(PushStep::kRcpt, 550)).kind == K::kMessage);
        CPPUNIT_ASSERT(classify(end(PushStep::kAuth, PushCause::kConfig)).kind == K::kConfig);
        CPPUNIT_ASSERT(classify(end(PushStep::kMail, PushCause::kSizeLimit)).event == E::kFailure);
        for (const PushStep step : kSteps) {
            const PushOutcome closing = classify(reply(step, 421));
            CPPUNIT_ASSERT(closing.event == E::kDeferral);  // RFC 5321 section 3.8
        }
    }

    // One mailbox's credentials, domain or limit must not hold up its neighbours on the server;
    // what nobody gets past holds up all.
    void who_waits() {
        struct Row {
            PushReport report;
            PushScope scope;
        };
        const Row rows[] = {
            {end(PushStep::kConnect, PushCause::kRefused), PushScope::kServer},
            {end(PushStep::kConnect, PushCause::kDns), PushScope::kServer},
            {end(PushStep::kStartTls, PushCause::kTls), PushScope::kServer},
            {end(PushStep::kGreeting, PushCause::kTimeout), PushScope::kServer},
            {end(PushStep::kHello, PushCause::kLost), PushScope::kServer},
            {reply(PushStep::kGreeting, 554), PushScope::kServer},
            {reply(PushStep::kHello, 450), PushScope::kServer},
            {reply(PushStep::kHello, 550), PushScope::kMailbox},
            {reply(PushStep::kStartTls, 454), PushScope::kServer},
            {reply(PushStep::kAuth, 454), PushScope::kMailbox},
            {reply(PushStep::kAuth, 421), PushScope::kMailbox},
            {reply(PushStep::kAuth, 535), PushScope::kMailbox},
            {end(PushStep::kAuth, PushCause::kLost), PushScope::kMailbox},
            {end(PushStep::kAuth, PushCause::kTimeout), PushScope::kMailbox},
            {end(PushStep::kAuth, PushCause::kConfig), PushScope::kMailbox},
            {reply(PushStep::kMail, 530), PushScope::kMailbox},
            {reply(PushStep::kMail, 421), PushScope::kServer},
            {reply(PushStep::kMail, 451), PushScope::kMessage},
            {reply(PushStep::kRcpt, 550), PushScope::kMessage},
            {end(PushStep::kData, PushCause::kTimeout), PushScope::kMailbox},
            {end(PushStep::kBody, PushCause::kLost), PushScope::kMailbox},
            {end(PushStep::kBody, PushCause::kLocal), PushScope::kMessage},
            {end(PushStep::kDot, PushCause::kLost), PushScope::kMailbox},
            {reply(PushStep::kDot, 250), PushScope::kMessage},
            {reply(PushStep::kDot, 452), PushScope::kMessage},
        };
        for (const Row& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(
                describe(row.report) + ' ' + std::to_string(row.report.code),
                static_cast<int>(row.scope), static_cast<int>(classify(row.report).scope));
    }

    void what_proves_a_server() {
        CPPUNIT_ASSERT(proves_server(reply(PushStep::kDot, 250)));
        CPPUNIT_ASSERT(proves_server(reply(PushStep::kRcpt, 550)));
        CPPUNIT_ASSERT(proves_server(reply(PushStep::kAuth, 535)));
        CPPUNIT_ASSERT(proves_server(end(PushStep::kMail, PushCause::kSizeLimit)));
        CPPUNIT_ASSERT(!proves_server(reply(PushStep::kGreeting, 220)));
        CPPUNIT_ASSERT(!proves_server(reply(PushStep::kRcpt, 421)));
        for (const PushStep step : kSteps)  // a tarpit proves nothing, however far it lets one get
            CPPUNIT_ASSERT(!proves_server(end(step, PushCause::kTimeout)));
    }

    void without_a_reply() {
        for (const PushCause cause : {PushCause::kDns, PushCause::kRefused, PushCause::kTls}) {
            const PushOutcome outcome = classify(end(PushStep::kConnect, cause));
            CPPUNIT_ASSERT(outcome.event == E::kDeferral && outcome.scope == PushScope::kServer);
        }
        CPPUNIT_ASSERT(classify(end(PushStep::kBody, PushCause::kLocal)).event == E::kDeferral);
        CPPUNIT_ASSERT(classify(end(PushStep::kBody, PushCause::kCancelled)).event == E::kDeferral);
        CPPUNIT_ASSERT(classify(end(PushStep::kNone, PushCause::kPlugin)).kind == K::kUncertain);
    }

    void success_has_one_cause() {
        for (const PushStep step : kSteps)
            for (const PushCause cause : kCauses)
                for (int code = 0; code < 600; ++code) {
                    PushReport report = end(step, cause);
                    report.code = code;
                    const bool proof =
                        step == PushStep::kDot && cause == PushCause::kReply && code / 100 == 2;
                    CPPUNIT_ASSERT_EQUAL(proof, classify(report).event == E::kAccepted);
                }
    }

    void only_a_permanent_answer_fails_a_message() {
        for (const PushStep step : kSteps)
            for (const PushCause cause : kCauses)
                for (int code = 0; code < 600; ++code) {
                    PushReport report = end(step, cause);
                    report.code = code;
                    if (classify(report).event != E::kFailure) continue;
                    const bool refused =
                        cause == PushCause::kReply && code / 100 == 5 && step >= PushStep::kMail;
                    CPPUNIT_ASSERT(refused || cause == PushCause::kSizeLimit);
                }
    }

    void a_lost_reply_to_the_dot_is_uncertain_and_nothing_before_is() {
        for (const PushStep step : kSteps)
            for (const PushCause cause :
                 {PushCause::kLost, PushCause::kTimeout, PushCause::kProtocol}) {
                const PushOutcome outcome = classify(end(step, cause));
                CPPUNIT_ASSERT_EQUAL(step == PushStep::kDot, outcome.event == E::kReplyLost);
                CPPUNIT_ASSERT_EQUAL(step == PushStep::kDot, outcome.kind == K::kUncertain);
                CPPUNIT_ASSERT(step == PushStep::kDot || outcome.event == E::kDeferral);
            }
    }

    void what_may_have_arrived_is_not_given_up_before_it_was_looked_for() {
        using S = DeliveryState;
        for (const S before : {S::kQueued, S::kDeferred, S::kUncertain}) {
            for (const bool searchable : {false, true}) {
                CPPUNIT_ASSERT(may_be_last(before, E::kDeferral, searchable));
                for (const E settled : {E::kAccepted, E::kFound})
                    CPPUNIT_ASSERT(!may_be_last(before, settled, searchable));
                CPPUNIT_ASSERT_EQUAL(before == S::kUncertain,
                                     may_be_last(before, E::kFailure, searchable));
                CPPUNIT_ASSERT_EQUAL(!searchable, may_be_last(before, E::kReplyLost, searchable));
            }
        }
    }

    void describes_itself_in_one_line() {
        PushReport report = reply(PushStep::kRcpt, 550);
        report.text = "550 5.1.1 no such\r\nuser";
        CPPUNIT_ASSERT_EQUAL(std::string("RCPT: 550 5.1.1 no such  user"), describe(report));
        CPPUNIT_ASSERT_EQUAL(std::string("connect: connection refused"),
                             describe(end(PushStep::kConnect, PushCause::kRefused)));
        report = end(PushStep::kStartTls, PushCause::kTls);
        report.text = "certificate has expired";
        CPPUNIT_ASSERT_EQUAL(std::string("STARTTLS: certificate has expired"), describe(report));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PushTest);

}  // namespace
