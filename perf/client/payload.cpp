#include "client/payload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <fstream>
#include <iterator>

namespace sluice::perf {
namespace {

constexpr std::size_t random_bytes_min = 1024 * 1024;  // much more than any window of a codec
constexpr std::size_t json_bytes = 8 * 1024 * 1024;
constexpr std::size_t key_count = 1024;

// As in every peer, so that all send the same bytes (Steele, Lea, Flood 2014).
class splitmix64 {
public:
    explicit splitmix64(std::uint64_t seed) noexcept : state_(seed) {}
    std::uint64_t next() noexcept {
        std::uint64_t word = state_ += 0x9e3779b97f4a7c15u;
        word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
        word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
        return word ^ (word >> 31);
    }
    std::uint64_t below(std::uint64_t count) noexcept { return next() % count; }

private:
    std::uint64_t state_;
};

std::string random_bytes(std::size_t at_least) {
    splitmix64 chance(2);
    std::string made(std::max(at_least, random_bytes_min), '\0');
    for (std::size_t i = 0; i < made.size(); i += 8) {
        const std::uint64_t drawn = chance.next();
        std::memcpy(made.data() + i, &drawn, std::min<std::size_t>(8, made.size() - i));
    }
    return made;
}

// Orders as JSON, each `size` bytes: byte for byte what perf/payload writes.
class json_orders {
public:
    explicit json_orders(std::size_t size) : size_(size) {}

    void append_order(std::uint64_t number, std::string& to) {
        std::string text =
            fmt::format(R"({{"order":{},"customer":{},)", 1'000'000'000 + number, chance_.below(100000));
        text += fmt::format(R"("status":"{}",)", statuses[chance_.below(statuses.size())]);
        const std::uint64_t whole = chance_.below(1000);
        text += fmt::format(R"("total":{}.{:02})", whole, chance_.below(100));
        if (size_ >= 256) append_items(text);
        text += R"(,"note":")";
        std::string note(word());
        while (text.size() + note.size() < size_ - 2) note.append(" ").append(word());
        text.append(note, 0, size_ - 2 - text.size()).append("\"}");
        to += text;
    }

private:
    static constexpr std::array<std::string_view, 6> statuses{"created", "paid",      "packed",
                                                              "shipped", "delivered", "returned"};
    static constexpr std::array<std::string_view, 32> words{
        "red",   "blue",  "green", "small",  "large", "light", "dark",  "soft",  "steel", "wooden", "cotton",
        "paper", "glass", "round", "square", "flat",  "deep",  "quick", "quiet", "warm",  "cold",   "fresh",
        "old",   "new",   "spare", "outer",  "inner", "upper", "lower", "left",  "right", "plain"};

    std::string_view word() { return words[chance_.below(words.size())]; }

    void append_items(std::string& text) {
        std::string items;
        std::size_t length = text.size() + std::string_view(R"(,"items":[])").size();
        for (;;) {
            const std::string_view kind = word();
            const auto letter = [&](std::size_t i) {
                return static_cast<char>(std::toupper(static_cast<unsigned char>(kind[i])));
            };
            std::string item =
                fmt::format(R"({{"sku":"{}{}-{:06}",)", letter(0), letter(1), chance_.below(1'000'000));
            const std::string_view first = word();
            item += fmt::format(R"("name":"{} {}",)", first, word());
            item += fmt::format(R"("qty":{},)", 1 + chance_.below(9));
            const std::uint64_t whole = chance_.below(200);
            item += fmt::format(R"("price":{}.{:02}}})", whole, chance_.below(100));
            if (length + item.size() + 1 > size_ - 64) break;
            length += item.size() + 1;
            if (!items.empty()) items += ',';
            items += item;
        }
        text += R"(,"items":[)" + items + "]";
    }

    std::size_t size_;
    splitmix64 chance_{1};
};

std::string json_text(std::size_t size) {
    if (size < 96) throw payload_error("--payload json: an order has at least 96 bytes (--size)");
    const std::size_t count = std::max<std::size_t>(1, json_bytes / size);
    json_orders orders(size);
    std::string made;
    made.reserve(count * size);
    for (std::uint64_t number = 0; number < count; ++number) orders.append_order(number, made);
    return made;
}

std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in)
        throw payload_error(fmt::format("--payload {}: cannot be read (random and json are made)", path));
    return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

std::string bytes_of(const std::string& kind, std::size_t size) {
    if (kind == "random") return random_bytes(size);
    if (kind == "json") return json_text(size);
    return read_file(kind);
}

}  // namespace

payload::payload(const std::string& kind, std::size_t size)
    : bytes_(bytes_of(kind, size)), size_(size), count_(bytes_.size() / size) {
    if (count_ == 0) {
        throw payload_error(
            fmt::format("--payload {}: shorter than one value of {} bytes (--size)", kind, size_));
    }
}

keys::keys() {
    splitmix64 chance(3);
    text_.reserve(key_count * key_size);
    for (std::size_t i = 0; i < key_count; ++i) text_ += fmt::format("{:016x}", chance.next());
}

std::string_view keys::key(std::uint64_t number) const noexcept {
    return {text_.data() + number % key_count * key_size, key_size};
}

}  // namespace sluice::perf
