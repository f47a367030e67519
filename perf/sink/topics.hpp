// The topics of the sink: any name that somebody asks for, and how many records each partition was sent.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "wire/uuid.hpp"

namespace sluice::sink {

struct topic {
    std::string name;
    wire::uuid id;
    std::vector<std::int64_t> next_offsets;  // by partition
    std::uint64_t record_count = 0;
};

// Owner: the sink's thread. A topic stays where it is.
class topics {
public:
    explicit topics(std::size_t partition_count) : partition_count_(partition_count) {}

    // The topic of that name, new if there is none.
    topic& of_name(std::string_view name) { return of_name(name, partition_count_); }
    topic& of_name(std::string_view name, std::size_t partition_count);
    // nullptr for an id that was never given out.
    topic* of_id(const wire::uuid& id) noexcept;

    const std::deque<topic>& all() const noexcept { return all_; }

private:
    struct name_hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view name) const noexcept {
            return std::hash<std::string_view>{}(name);
        }
    };

    std::size_t partition_count_;
    std::deque<topic> all_;  // the last bytes of a topic's id are its place here, counted from 1
    std::unordered_map<std::string, topic*, name_hash, std::equal_to<>> by_name_;
};

}  // namespace sluice::sink
