// Where the vectors are, and the lines of one file.
#pragma once

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::vectors {

// All files that the format has (tests/vectors/README.md), without ".jsonl".
inline constexpr std::array<std::string_view, 18> file_names{
    "adaptive_weights", "backoff",     "batch_boundaries", "compression_estimate",
    "config_cases",     "config_keys", "crc32c",           "errors",
    "messages",         "metrics",     "murmur2",          "record_sizes",
    "record_batches",   "scram",       "sequence",         "serializers",
    "sticky_switch",    "varint"};

// A line of a file, counted from 1; integers are exact up to 64 bits. `parse_error` is empty where it is
// JSON.
struct vector_line {
    int number = 0;
    nlohmann::json vector;
    std::string parse_error;
};

// The folder that the environment variable SLUICE_VECTORS names, or the project's own.
class vector_folder {
public:
    vector_folder();
    explicit vector_folder(std::filesystem::path path) : path_(std::move(path)) {}

    const std::filesystem::path& path() const noexcept { return path_; }
    // What is wrong with the folder as a whole, one text for each; a known file that is missing is not wrong.
    std::vector<std::string> problems() const;
    // nullopt when the file is not there.
    std::optional<std::vector<vector_line>> read(std::string_view file_name) const;

private:
    std::filesystem::path path_;
};

}  // namespace sluice::vectors
