// `encode`, `decode` and `print` of a message. Only `api/*.cpp` include this: it is dear to compile.
#pragma once

#include "wire/codec/decoder.hpp"
#include "wire/codec/encoder.hpp"
#include "wire/codec/printer.hpp"
#include "wire/message.hpp"

namespace sluice::wire {

// The table that headers and negotiation go by, and the message itself, say the same. (No find_api here: under
// -fsanitize=undefined g++ 12 takes no pointer for a constant.)
template <class Message>
constexpr bool agrees_with_table() {
    for (const api& entry : apis) {
        if (entry.key != Message::key) continue;
        return entry.flexible_from == Message::flexible_from &&
               Message::versions.contains(entry.versions.min) &&
               Message::versions.contains(entry.versions.max);
    }
    return false;
}

template <message Message>
error_code encode(const Message& value, std::int16_t version, writer& out) {
    static_assert(agrees_with_table<Message>());
    if (!Message::versions.contains(version)) return errc::unsupported_version;
    const writer::mark before = out.position();
    codec::encoder fields(out, version, version >= Message::flexible_from);
    fields.write_struct(value, value.unknown_tags);
    if (!fields.refused()) return {};
    out.rewind(before);
    return errc::unsupported_version;
}

template <message Message>
error_code decode(Message& value, std::int16_t version, reader& in) {
    static_assert(agrees_with_table<Message>());
    if (!Message::versions.contains(version)) return errc::unsupported_version;
    value.unknown_tags.clear();
    codec::decoder fields(in, version, version >= Message::flexible_from);
    fields.read_struct(value, &value.unknown_tags);
    return in.finished();
}

template <message Message>
std::string print(const Message& value, std::int16_t version) {
    std::string line = fmt::format("{} v{} ", Message::name, version);
    codec::printer(line, version).print(value);
    return line;
}

}  // namespace sluice::wire
