#include "agent/counting.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

namespace {

using namespace vm;
using namespace vm::agent;
using store::HistoryEntry;

class CountingTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CountingTest);
    CPPUNIT_TEST(outcomes_by_server);
    CPPUNIT_TEST(traffic_by_protocol);
    CPPUNIT_TEST(latency_is_from_sent_to_the_first_link);
    CPPUNIT_TEST_SUITE_END();

    void outcomes_by_server() {
        MetricsTable table;
        Metrics metrics(&table);
        config::MailboxOptions mailbox;
        count_delivery(nullptr, mailbox, DeliveryEvent::kAccepted);
        count_delivery(&metrics, mailbox, DeliveryEvent::kSwitchOff);
        mailbox.smtp.host = "smtp.example.net";
        mailbox.smtp.port = 587;
        for (const DeliveryEvent event :
             {DeliveryEvent::kAccepted, DeliveryEvent::kFound, DeliveryEvent::kDeferral,
              DeliveryEvent::kFailure, DeliveryEvent::kGiveUp, DeliveryEvent::kReplyLost,
              DeliveryEvent::kIntent, DeliveryEvent::kRequeue})
            count_delivery(&metrics, mailbox, event);
        const std::string server = "smtp.example.net:587";
        const std::map<LabelValues, std::int64_t> wanted{{{"", "switched_off"}, 1},
                                                         {{server, "sent"}, 2},
                                                         {{server, "deferred"}, 1},
                                                         {{server, "failed"}, 2},
                                                         {{server, "uncertain"}, 1}};
        CPPUNIT_ASSERT(table.read().at(Metric::kDeliveries) == wanted);
    }

    void traffic_by_protocol() {
        transport::Traffic traffic;
        traffic.add(true, 100, 2000, 7);
        traffic.add(false, 1, 1, 1);
        traffic.add(false, ~std::uint64_t{0}, ~std::uint64_t{0}, 1);  // a plugin that lies
        MetricsTable table;
        Metrics metrics(&table);
        count_traffic(&metrics, "a:993", "imap", traffic);
        count_traffic(&metrics, "a:993", "imap", {});
        count_traffic(nullptr, "a:993", "imap", traffic);
        const auto value = [&](Metric metric) {
            return table.read().at(metric).at({"a:993", "imap"});
        };
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, value(Metric::kConnections));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{101}, value(Metric::kBytesSent));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2001}, value(Metric::kBytesReceived));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{9}, value(Metric::kRoundTrips));
    }

    void latency_is_from_sent_to_the_first_link() {
        const HistoryEntry added{1, "added", "", "", ""},
            begun{2, "delivery", "queued", "sending", ""},
            sent{10, "delivery", "sending", "sent", "250"},
            linked{25, "link", "", "INBOX, UID 7", ""},
            moved{40, "link", "INBOX, UID 7", "Work, UID 1", ""},
            unlinked{50, "link", "Work, UID 1", "", ""},
            again{60, "delivery", "sending", "sent", "250"},
            relinked{62, "link", "", "INBOX, UID 9", ""};
        const auto latency = [](const std::vector<HistoryEntry>& history) {
            return link_latency_ms(history).value_or(-1);
        };
        CPPUNIT_ASSERT_EQUAL(std::int64_t{15}, latency({added, begun, sent, linked}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{15}, latency({added, begun, sent, linked, moved}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2},
                             latency({begun, sent, linked, unlinked, again, relinked}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{-1}, latency({begun, sent, linked, unlinked, again}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{-1}, latency({begun, linked, sent}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{-1}, latency({}));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(CountingTest);

}  // namespace
