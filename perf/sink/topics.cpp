#include "sink/topics.hpp"

#include "wire/big_endian.hpp"

namespace sluice::sink {
namespace {

constexpr std::size_t number_at = 8;  // in the id

}  // namespace

topic& topics::of_name(std::string_view name, std::size_t partition_count) {
    if (const auto found = by_name_.find(name); found != by_name_.end()) return *found->second;
    topic& made = all_.emplace_back();
    made.name = name;
    made.next_offsets.resize(partition_count);
    wire::store_big_endian(made.id.octets.data() + number_at, static_cast<std::uint64_t>(all_.size()));
    by_name_.emplace(made.name, &made);
    return made;
}

topic* topics::of_id(const wire::uuid& id) noexcept {
    const auto number = wire::load_big_endian<std::uint64_t>(id.octets.data() + number_at);
    if (number == 0 || number > all_.size()) return nullptr;
    topic& found = all_[number - 1];
    return found.id == id ? &found : nullptr;
}

}  // namespace sluice::sink
