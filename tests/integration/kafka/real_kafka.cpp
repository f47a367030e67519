#include "integration/kafka/real_kafka.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace sluice::testing {
namespace {

constexpr const char* kafka_tool = SLUICE_SOURCE_FOLDER "/tools/kafka";

// Runs a command, gives its lines to `take`; true if it succeeded.
bool run_command(const std::string& command, const std::function<void(std::string_view)>& take) {
    std::FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return false;
    char* line = nullptr;
    std::size_t capacity = 0;
    for (ssize_t size = 0; (size = ::getline(&line, &capacity, pipe)) > 0;) {
        std::string_view text(line, static_cast<std::size_t>(size));
        if (text.ends_with('\n')) text.remove_suffix(1);
        take(text);
    }
    std::free(line);
    return ::pclose(pipe) == 0;
}

std::string_view take_field(std::string_view& line) {
    const std::size_t tab = line.find('\t');
    const std::string_view field = line.substr(0, tab);
    line.remove_prefix(tab == std::string_view::npos ? line.size() : tab + 1);
    return field;
}

template <class Number>
bool take_number(std::string_view& line, Number& number, int base = 10) {
    const std::string_view field = take_field(line);
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), number, base);
    return error == std::errc() && end == field.data() + field.size();
}

bool parse(std::string_view line, stored_record& read) {
    if (!take_number(line, read.partition) || !take_number(line, read.offset)) return false;
    if (!take_number(line, read.value_size) || !take_number(line, read.value_checksum, 16)) return false;
    if (line.size() >= 2 && line.front() == '"') line = line.substr(1, line.size() - 2);
    read.key = line;
    return true;
}

}  // namespace

std::unique_ptr<real_kafka> real_kafka::start_cluster(int broker_count) {
    std::string bootstrap;
    std::string port;
    const std::string command =
        fmt::format("{} up --brokers {} --port free --set leader.imbalance.check.interval.seconds=5",
                    kafka_tool, broker_count);
    const bool is_up = run_command(command, [&](std::string_view line) {
        constexpr std::string_view bootstrap_name = "KAFKA_BOOTSTRAP=";
        constexpr std::string_view port_name = "KAFKA_PORT=";
        if (line.starts_with(bootstrap_name)) bootstrap = line.substr(bootstrap_name.size());
        if (line.starts_with(port_name)) port = line.substr(port_name.size());
    });
    if (!is_up) {
        ADD_FAILURE() << "no Kafka: " << command;
        return nullptr;
    }
    return std::unique_ptr<real_kafka>(new real_kafka(std::move(bootstrap), std::move(port)));
}

real_kafka::real_kafka(std::string bootstrap, std::string port)
    : bootstrap_(std::move(bootstrap)), port_(std::move(port)) {}

real_kafka::~real_kafka() {
    run("down");
}

void real_kafka::run(const std::string& arguments) {
    const std::string command = fmt::format("{} {} --port {}", kafka_tool, arguments, port_);
    EXPECT_TRUE(run_command(command, [](std::string_view) {})) << command;
}

void real_kafka::create_topic(const std::string& name, int partition_count, int replica_count,
                              const std::string& settings) {
    run(fmt::format("topic create {} -p {} -r {} {}", name, partition_count, replica_count, settings));
}

void real_kafka::delete_topic(const std::string& name) {
    run(fmt::format("topic delete {}", name));
}

void real_kafka::kill(int node) {
    run(fmt::format("node kill {}", node));
}

void real_kafka::start(int node) {
    run(fmt::format("node start {}", node));
}

void real_kafka::read_back(const std::string& topic, const std::function<void(const stored_record&)>& visit) {
    const std::string command = fmt::format("{} dump {} --digest --port {}", kafka_tool, topic, port_);
    const bool is_complete = run_command(command, [&](std::string_view line) {
        stored_record read;
        if (parse(line, read)) return visit(read);
        ADD_FAILURE() << "cannot read what tools/kafka dump says: " << line;
    });
    EXPECT_TRUE(is_complete) << command;
}

void real_kafka::read_back_with_kcat(const std::string& topic,
                                     const std::function<void(const stored_record&)>& visit) {
    const std::string command =
        fmt::format("kcat -C -b {} -t {} -o beginning -e -q -f '%p\\t%o\\t%S\\n'", bootstrap_, topic);
    const bool is_complete = run_command(command, [&](std::string_view line) {
        stored_record read;
        if (take_number(line, read.partition) && take_number(line, read.offset) &&
            take_number(line, read.value_size)) {
            return visit(read);
        }
        ADD_FAILURE() << "cannot read what kcat says: " << line;
    });
    EXPECT_TRUE(is_complete) << command;
}

real_kafka::stored_batches real_kafka::batches(const std::string& topic) {
    stored_batches found;
    const std::string command = fmt::format("{} dump {} --segments --port {}", kafka_tool, topic, port_);
    const auto word_after = [](std::string_view line, std::string_view name) {
        const std::size_t at = line.find(name);
        if (at == line.npos) return std::string_view();
        line.remove_prefix(at + name.size());
        return line.substr(0, line.find(' '));
    };
    const bool is_complete = run_command(command, [&](std::string_view line) {
        if (!line.starts_with("baseOffset: ")) return;
        ++found.count_by_codec[std::string(word_after(line, "compresscodec: "))];
        std::string_view size = word_after(line, " size: ");
        std::size_t size_bytes = 0;
        EXPECT_TRUE(take_number(size, size_bytes)) << line;
        found.size_max = std::max(found.size_max, size_bytes);
    });
    EXPECT_TRUE(is_complete) << command;
    return found;
}

}  // namespace sluice::testing
