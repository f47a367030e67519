// The two ways in which Kafka writes the length of a string, of bytes and of an array.
#pragma once

namespace sluice::wire {

//   plain    string: i16 length; bytes, records, array: i32 length or count            null = -1
//   compact  all of them: unsigned varint of length + 1, or of count + 1               null = 0
//
// Flexible versions of a message (KIP-482) are compact throughout; the client id of a request header never
// is.
enum class encoding : bool { plain, compact };

// Java refuses longer strings in either encoding, in both directions; so do we.
inline constexpr unsigned string_size_max = 0x7fff;

}  // namespace sluice::wire
