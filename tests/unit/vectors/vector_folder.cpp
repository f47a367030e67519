#include "unit/vectors/vector_folder.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace sluice::vectors {
namespace fs = std::filesystem;

vector_folder::vector_folder() : path_(SLUICE_VECTORS_FOLDER) {
    const char* named = std::getenv("SLUICE_VECTORS");
    if (named == nullptr || *named == '\0') return;
    path_ = named;
    // ctest changes the directory before it starts us; a relative name means where the user typed it.
    const char* typed_in = std::getenv("PWD");
    if (path_.is_relative() && !fs::exists(path_) && typed_in != nullptr) path_ = fs::path(typed_in) / named;
}

std::vector<std::string> vector_folder::problems() const {
    if (!fs::is_directory(path_)) return {"there is no folder " + path_.string()};
    std::vector<std::string> found;
    bool has_known_file = false;
    for (const fs::directory_entry& entry : fs::directory_iterator(path_)) {
        if (entry.path().extension() != ".jsonl") continue;
        const std::string name = entry.path().stem().string();
        if (std::find(file_names.begin(), file_names.end(), name) != file_names.end()) {
            has_known_file = true;
        } else {
            found.push_back("unknown file " + entry.path().string());
        }
    }
    if (!has_known_file) found.push_back("no vector file in " + path_.string());
    std::sort(found.begin(), found.end());
    return found;
}

std::optional<std::vector<vector_line>> vector_folder::read(std::string_view file_name) const {
    std::ifstream file(path_ / (std::string(file_name) + ".jsonl"), std::ios::binary);
    if (!file) return std::nullopt;
    std::vector<vector_line> lines;
    std::string text;
    for (int number = 1; std::getline(file, text); ++number) {
        if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
        vector_line line{number, {}, {}};
        try {
            line.vector = nlohmann::json::parse(text);
        } catch (const nlohmann::json::exception& error) {
            line.parse_error = error.what();
        }
        lines.push_back(std::move(line));
    }
    return lines;
}

}  // namespace sluice::vectors
