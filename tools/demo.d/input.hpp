// What the demonstration sends: a file cut into records.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::demo {

struct input_record {
    std::string_view key;
    std::string_view value;
    std::uint32_t key_id;
};

// A Debian package index: each stanza a record, its `Package:` field the key. A file whose first stanza has no such
// field is taken line by line, the first word of a line its key. In memory as a whole.
class input {
public:
    // "-" is standard input. Throws cli::usage_error that names the file.
    explicit input(const std::string& file);
    input(const input&) = delete;
    input& operator=(const input&) = delete;

    std::size_t size() const noexcept { return records_.size(); }
    std::size_t size_bytes() const noexcept { return size_bytes_; }  // of keys and values
    bool has_stanzas() const noexcept { return has_stanzas_; }
    const input_record& operator[](std::size_t index) const noexcept { return records_[index]; }
    // The records of a key, in order.
    std::size_t key_count() const noexcept { return of_key_.size(); }
    const std::vector<std::uint32_t>& of_key(std::uint32_t key_id) const noexcept { return of_key_[key_id]; }

private:
    void cut_stanzas(const std::string& file);
    void cut_lines();
    void number_keys();

    std::string text_;
    std::vector<input_record> records_;
    std::vector<std::vector<std::uint32_t>> of_key_;
    std::size_t size_bytes_ = 0;
    bool has_stanzas_ = false;
};

}  // namespace sluice::demo
