#include <fmt/format.h>
#include <stdio.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <utility>

#include "cluster.hpp"

namespace sluice::demo {
namespace {

std::string shell_quoted(std::string_view text) {
    std::string made = "'";
    for (const char c : text) made += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return made + "'";
}

std::string base64_decoded(std::string_view text) {
    static constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string made;
    made.reserve(text.size() / 4 * 3);
    std::uint32_t bits = 0;
    int bit_count = 0;
    for (const char c : text) {
        if (c == '=') break;
        const std::size_t value = alphabet.find(c);
        if (value == std::string_view::npos) throw std::runtime_error("tools/kafka dump: this is not base64");
        bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xffffff;
        bit_count += 6;
        if (bit_count < 8) continue;
        bit_count -= 8;
        made.push_back(static_cast<char>(bits >> bit_count & 0xff));
    }
    return made;
}

// A field of tools/kafka dump --base64: null, or {"base64": "..."}.
std::optional<std::string> bytes_of(const nlohmann::json& field) {
    if (field.is_null()) return std::nullopt;
    return base64_decoded(field.at("base64").get_ref<const std::string&>());
}

class real_cluster final : public cluster {
public:
    real_cluster(std::string bootstrap, std::string kafka_tool)
        : bootstrap_(std::move(bootstrap)),
          kafka_tool_(std::move(kafka_tool)),
          topic_(fmt::format("sluice-demo-{}-{}",
                             std::chrono::system_clock::now().time_since_epoch() / std::chrono::seconds(1),
                             getpid())) {
        if (run("topic create", fmt::format("-p {} > /dev/null", partition_count)) != 0) {
            throw std::runtime_error(fmt::format("the topic {} could not be made at {}", topic_, bootstrap_));
        }
    }
    ~real_cluster() override {
        if (run("topic delete", "> /dev/null") != 0) {
            fmt::print(stderr, "tools/demo: warning: the topic {} could not be deleted\n", topic_);
        }
    }

    std::string describe() const override {
        return fmt::format("the cluster at {}, topic {}", bootstrap_, topic_);
    }
    std::string bootstrap() const override { return bootstrap_; }
    std::string topic() const override { return topic_; }

    void read_back(proof& judge) override {
        FILE* lines = popen(command("dump", "--base64").c_str(), "re");
        if (lines == nullptr) throw std::runtime_error("tools/kafka dump could not be started");
        char* line = nullptr;
        std::size_t capacity = 0;
        ssize_t size = 0;
        while ((size = getline(&line, &capacity, lines)) > 0) {
            const auto stored = nlohmann::json::parse(line, line + size);
            judge.stored(stored.at("partition"), stored.at("offset"), bytes_of(stored.at("key")),
                         bytes_of(stored.at("value")));
        }
        std::free(line);
        if (pclose(lines) != 0)
            throw std::runtime_error("tools/kafka dump failed; what it said stands above");
    }

private:
    std::string command(std::string_view verb, std::string_view options) const {
        return fmt::format("{} {} {} --bootstrap {} {}", shell_quoted(kafka_tool_), verb,
                           shell_quoted(topic_), shell_quoted(bootstrap_), options);
    }
    int run(std::string_view verb, std::string_view options) const {
        return std::system(command(verb, options).c_str());
    }

    std::string bootstrap_;
    std::string kafka_tool_;
    std::string topic_;
};

}  // namespace

std::unique_ptr<cluster> make_real_cluster(std::string bootstrap, std::string kafka_tool) {
    return std::make_unique<real_cluster>(std::move(bootstrap), std::move(kafka_tool));
}

}  // namespace sluice::demo
