// One Metadata response, and the snapshot that comes of it.
#pragma once

#include <memory>

#include "cluster/snapshot.hpp"
#include "wire/api/metadata.hpp"

namespace sluice {

struct merge_result {
    std::shared_ptr<const snapshot> made;
    bool has_progress = false;  // a newer leader epoch or a new topic: refreshing was worth it (MD-6)
    bool wants_update = false;  // a topic or partition has an error that new metadata may heal (MD-8, MD-9)
};

// Merges a response of `version` into `before`.
//
//   topics    a partial response leaves the others as they are; a full one drops those it does not name (MD-13)
//   brokers   those of the response only
//   leaders   an entry with an older leader epoch than the one known is not believed (MD-10), unless the topic was made
//             anew (its id changed, MD-11); epochs count from version 9 on, one without clears what was known (MD-12)
//   ids       zero ids are not kept (MD-16)
//
// Sans I/O, no state of its own.
merge_result merge(const snapshot& before, const wire::metadata_response& response, std::int16_t version,
                   bool is_partial);

// A leader hint from a Produce answer (KIP-951, MD-14): a new snapshot, or nullptr if the hint says nothing new.
struct leader_hint {
    std::string_view topic;
    std::int32_t partition = -1;
    std::int32_t leader = no_node;
    std::int32_t leader_epoch = -1;
    std::optional<broker_node> node;  // the leader's address, where the answer had it
};
std::shared_ptr<const snapshot> apply_hint(const snapshot& before, const leader_hint& hint);

}  // namespace sluice
