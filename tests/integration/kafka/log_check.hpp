// Compares what senders were told with what Kafka's consumer reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "integration/kafka/real_kafka.hpp"
#include "integration/kafka/sending.hpp"

namespace sluice::testing {

// What must hold of a topic that nobody else wrote to: every acknowledged record stands where its receipt says, with its
// key and its value; nothing else stands there; records of one key are in one partition and in the order of sending, and
// so are the records of one coroutine in each partition.
//
//   log_check check(all, run.receipts());
//   kafka.read_back(topic, [&](const stored_record& each) { check.read(each); });
//   EXPECT_EQ(check.finish(), no_differences);
//
// Owner: caller.
class log_check {
public:
    log_check(const workload& sent, const std::vector<sending::receipt>& receipts);

    void read(const stored_record& each);
    // What did not hold: the first few differences, and how many there are. Empty: all held.
    std::vector<std::string> finish();

private:
    void place(std::uint32_t number, const sending::receipt& receipt);
    void check_order();
    void differ(const std::string& how);

    const workload& workload_;
    const std::vector<sending::receipt>& receipts_;
    std::vector<std::vector<std::uint32_t>> numbers_;  // by partition, then by offset; none: `nobody`
    std::size_t unread_count_ = 0;
    std::vector<std::string> differences_;
    std::size_t difference_count_ = 0;
};

inline const std::vector<std::string> no_differences;

}  // namespace sluice::testing
