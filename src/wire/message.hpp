// A message of Kafka's protocol: a struct that describes itself once, for every version and both directions.
//
//   struct end_txn_request {
//       static constexpr api_key key = api_key::end_txn;
//       static constexpr std::string_view name = "EndTxnRequest";
//       static constexpr version_range versions{0, 5};
//       static constexpr std::int16_t flexible_from = 3;
//
//       std::string_view transactional_id;
//       ...
//       std::int64_t producer_id = -1;
//       wire::unknown_tags unknown_tags;
//
//       template <class Self, class Fields>
//       static void describe(Self& self, Fields& fields) {
//           fields(field("transactionalId"), self.transactional_id);
//           ...
//           fields(field("producerId").since(5), self.producer_id, -1);
//       }
//   };
//
// `describe` calls `fields` for each field in wire order: how it stands on the wire, where it lives, and its
// default unless that is zero, empty or null (a member starts as its default; a test compares). `fields` is
// an encoder, a decoder, a printer, or what a test brings. Structs inside a message have `describe` alone.
//
//   on the wire                     in the struct
//   int8 .. int64, bool, float64    the same; a code or a key is the number
//   string                          std::string_view, std::optional of it where it may be null
//   bytes, records                  bytes, std::optional of it; wire::records
//   array                           std::vector, std::optional of it where it may be null
//
// Lifetime: strings, bytes and records of a decoded message are views into its frame, those to encode are the
// caller's. A message may be decoded into again and again: vectors keep their memory, absent fields become
// their default.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/error.hpp"
#include "wire/api_key.hpp"
#include "wire/field.hpp"
#include "wire/reader.hpp"
#include "wire/version_range.hpp"
#include "wire/writer.hpp"

namespace sluice::wire {

template <class Message>
concept message = requires(Message& value) {
    { Message::key } -> std::convertible_to<api_key>;
    { Message::name } -> std::convertible_to<std::string_view>;
    { Message::versions } -> std::convertible_to<version_range>;
    { Message::flexible_from } -> std::convertible_to<std::int16_t>;
    { value.unknown_tags } -> std::same_as<unknown_tags&>;
};

// The three are compiled once for each message, in `api/<name>.cpp`.

// Appends the body. errc::unsupported_version when there is no such version, or when the message has
// something that the version cannot carry: a field that is not in it and neither default nor ignorable, a
// null, a string or bytes too long, tags that do not ascend. Then `out` is as it was.
template <message Message>
[[nodiscard]] error_code encode(const Message& value, std::int16_t version, writer& out);

// Reads a body, which is all that is left in `in`. errc::unsupported_version when there is no such version,
// errc::protocol_error for anything that is not such a body; then `value` is whatever was read up to there.
template <message Message>
[[nodiscard]] error_code decode(Message& value, std::int16_t version, reader& in);

// One line for people: "EndTxnRequest v5 {transactionalId: "t", ...}". Of bytes and records only the size is
// shown: what users send, and their secrets, stay out of logs.
template <message Message>
[[nodiscard]] std::string print(const Message& value, std::int16_t version);

}  // namespace sluice::wire
