// partitions_for(): waits at the home of metadata until a topic is known.
#pragma once

#include <functional>
#include <string_view>

#include "cluster/snapshot.hpp"
#include "sluice/error.hpp"

namespace sluice {

class producer_core;

using partitions_answer = std::function<void(error_code why, shared_text text, const topic_node* known)>;

// Any thread. `answer` is called once, on the home's loop, or at once on this thread if the producer is closed.
void ask_partitions(producer_core& core, std::string_view topic, partitions_answer answer);

}  // namespace sluice
