// librdkafka, measured: the flags and their meanings are those of perf/README.md, "One set of flags".
//
// One thread sends and takes the delivery reports, which come as events, many messages in one. Values are not copied
// (neither RD_KAFKA_MSG_F_COPY nor RD_KAFKA_MSG_F_FREE), the partition is named, and rd_kafka_produce_batch takes a run of
// records of one partition at once: it is about twice as fast as rd_kafka_produce.
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

// A command line that makes no sense.
[[noreturn]] void fail(const std::string& text) {
    std::fprintf(stderr, "librdkafka: error: %s\n", text.c_str());
    std::exit(2);
}

// What went wrong later.
[[noreturn]] void give_up(const std::string& text) {
    std::fprintf(stderr, "librdkafka: error: %s\n", text.c_str());
    std::exit(1);
}

constexpr const char* usage =
    R"(librdkafka, measured. One line of JSON on stdout, progress on stderr.

usage: client --bootstrap HOST:PORT[,..] [options]       what they mean: perf/README.md, "One set of flags"
  --bootstrap H:P[,..]
  --topic T              (perf)
  --records N            (1000000)
  --warmup N             (100000)
  --size B               (100)
  --payload random|json|FILE
                         (random); json is made by perf/peers/run
  --key 0|16             (0)
  --partitions N         (12)
  --chunk K              (1)
  --rate R               (0)
  --sample K             (100)
  --acks 0|1|all         (all)
  --idempotence on|off   (on, but off with --acks 0 and 1)
  --compression none|lz4|zstd|snappy|gzip
                         (none)
  --level L              gzip 1 to 9, lz4 1 to 12, zstd 1 to 12
  --linger MS            linger.ms
  --batch BYTES          batch.size
  --inflight N           max.in.flight.requests.per.connection; at most 5 where it is idempotent
  --buffer-kb KB         queue.buffering.max.kbytes
  -X key=value           librdkafka's own keys; and produce_batch=off: rd_kafka_produce for each record instead of
                         rd_kafka_produce_batch for each run of records of one partition
  -h, --help
The exit status is 0 only if all records were acknowledged; 1 if not; 2 for a command line that makes no sense.
)";

struct options {
    std::string bootstrap, topic = "perf", payload = "random", acks = "all", compression = "none";
    std::int64_t records = 1'000'000, warmup = 100'000, size = 100, key = 0, partitions = 12, chunk = 1,
                 rate = 0, sample = 100;
    std::optional<bool> idempotence;
    std::optional<std::int64_t> level, linger, batch, inflight, buffer_kb;
    bool produce_batch = true;
    std::vector<std::pair<std::string, std::string>> extra;

    bool is_idempotent() const { return idempotence.value_or(acks == "all"); }
};

std::int64_t number(const std::string& name, const std::string& text, std::int64_t min, std::int64_t max) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) {
        fail("option " + name + ": '" + text + "' is not a whole number from " + std::to_string(min) +
             " to " + std::to_string(max));
    }
    return value;
}

std::string one_of(const std::string& name, const std::string& text,
                   std::initializer_list<std::string_view> allowed) {
    std::string list;
    for (const std::string_view each : allowed) {
        if (each == text) return text;
        list.append(list.empty() ? "" : ", ").append(each);
    }
    fail("option " + name + ": expected one of " + list + ", got '" + text + "'");
}

// The flags that are whole numbers, and what they may be.
struct whole {
    std::string_view name;
    std::int64_t min, max;
    void (*store)(options&, std::int64_t);
};
constexpr std::int64_t many = 1'000'000'000'000;
constexpr std::int64_t int_max = 2'147'483'647;
constexpr whole wholes[] = {
    {"--records", 1, many, [](options& to, std::int64_t value) { to.records = value; }},
    {"--warmup", 0, many, [](options& to, std::int64_t value) { to.warmup = value; }},
    {"--size", 1, 1 << 30, [](options& to, std::int64_t value) { to.size = value; }},
    {"--partitions", 0, 1'000'000, [](options& to, std::int64_t value) { to.partitions = value; }},
    {"--chunk", 1, many, [](options& to, std::int64_t value) { to.chunk = value; }},
    {"--rate", 0, 1'000'000'000, [](options& to, std::int64_t value) { to.rate = value; }},
    {"--sample", 0, many, [](options& to, std::int64_t value) { to.sample = value; }},
    {"--level", -int_max, int_max, [](options& to, std::int64_t value) { to.level = value; }},
    {"--linger", 0, int_max, [](options& to, std::int64_t value) { to.linger = value; }},
    {"--batch", 1, int_max, [](options& to, std::int64_t value) { to.batch = value; }},
    {"--inflight", 1, int_max, [](options& to, std::int64_t value) { to.inflight = value; }},
    {"--buffer-kb", 1, int_max, [](options& to, std::int64_t value) { to.buffer_kb = value; }},
};

void set(options& made, const std::string& name, const std::string& value) {
    for (const whole& each : wholes) {
        if (each.name == name) return each.store(made, number(name, value, each.min, each.max));
    }
    if (name == "--bootstrap")
        made.bootstrap = value;
    else if (name == "--topic")
        made.topic = value;
    else if (name == "--payload")
        made.payload = value;
    else if (name == "--key")
        made.key = one_of(name, value, {"0", "16"}) == "16" ? 16 : 0;
    else if (name == "--acks")
        made.acks = one_of(name, value, {"0", "1", "all"});
    else if (name == "--idempotence")
        made.idempotence = one_of(name, value, {"on", "off"}) == "on";
    else if (name == "--compression")
        made.compression = one_of(name, value, {"none", "lz4", "zstd", "snappy", "gzip"});
    else if (name == "-X" && value.starts_with("produce_batch="))
        made.produce_batch =
            one_of("-X produce_batch", value.substr(value.find('=') + 1), {"on", "off"}) == "on";
    else if (name == "-X" && value.find('=') != value.npos && value.find('=') > 0)
        made.extra.emplace_back(value.substr(0, value.find('=')), value.substr(value.find('=') + 1));
    else if (name == "-X")
        fail("option -X: expected key=value, got '" + value + "'");
    else
        fail("unknown option " + name + " (see --help)");
}

void check_combinations(const options& asked) {
    if (asked.bootstrap.empty()) fail("--bootstrap is missing (see --help)");
    if (asked.is_idempotent() && asked.acks != "all") fail("option --idempotence: on needs --acks all");
    if (asked.is_idempotent() && asked.inflight.value_or(1) > 5)
        fail("option --inflight: at most 5 unless --idempotence off");
    if (!asked.level) return;
    if (asked.compression == "none" || asked.compression == "snappy") {
        fail("option --level: compression " + asked.compression +
             " has no levels; expected --compression lz4, zstd or gzip");
    }
    // librdkafka takes others, and uses its default then.
    const std::int64_t max = asked.compression == "gzip" ? 9 : 12;
    (void)number("--level", std::to_string(*asked.level), 1, max);
}

options parse(int count, char** words) {
    options made;
    for (int i = 1; i < count; ++i) {
        std::string name = words[i], value;
        if (name == "--help" || name == "-h") {
            std::fputs(usage, stdout);
            std::exit(0);
        }
        if (!name.starts_with('-')) fail("'" + name + "' is no option (see --help)");
        if (const auto equals = name.find('='); name.starts_with("--") && equals != name.npos) {
            value = name.substr(equals + 1);
            name.resize(equals);
        } else if (++i < count) {
            value = words[i];
        } else {
            fail("option " + name + " needs a value (see --help)");
        }
        set(made, name, value);
    }
    check_combinations(made);
    return made;
}

struct splitmix {
    std::uint64_t state;
    std::uint64_t next() {
        state += 0x9E3779B97F4A7C15;
        std::uint64_t word = state;
        word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9;
        word = (word ^ (word >> 27)) * 0x94D049BB133111EB;
        return word ^ (word >> 31);
    }
};

std::string payload_of(const options& how) {
    std::string made;
    const auto size = static_cast<std::size_t>(how.size);
    if (how.payload == "random") {
        const std::size_t whole = std::max<std::size_t>(1 << 20, size);
        splitmix draw{2};
        while (made.size() < whole) {
            const std::uint64_t word = draw.next();
            made.append(reinterpret_cast<const char*>(&word), sizeof word);
        }
        made.resize(whole);
    } else {
        std::ifstream file(how.payload, std::ios::binary);
        if (!file)
            fail("--payload " + how.payload + ": cannot be read (random is made, json by perf/peers/run)");
        made.assign(std::istreambuf_iterator<char>(file), {});
    }
    if (made.size() < size)
        fail("--payload " + how.payload + ": shorter than one value of " + std::to_string(how.size) +
             " bytes (--size)");
    return made;
}

std::int64_t now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

double cpu_seconds() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& time) { return double(time.tv_sec) + double(time.tv_usec) / 1e6; };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double resident_max_mb() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    return double(used.ru_maxrss) * 1024 / 1e6;
}

void configure(rd_kafka_conf_t* conf, const std::string& key, const std::string& value) {
    char error[512];
    if (rd_kafka_conf_set(conf, key.c_str(), value.c_str(), error, sizeof error) != RD_KAFKA_CONF_OK)
        fail(error);
}

rd_kafka_conf_t* configuration(const options& how) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    configure(conf, "bootstrap.servers", how.bootstrap);
    configure(conf, "acks", how.acks);
    configure(conf, "enable.idempotence", how.is_idempotent() ? "true" : "false");
    configure(conf, "compression.codec", how.compression);
    if (how.level) configure(conf, "compression.level", std::to_string(*how.level));
    if (how.linger) configure(conf, "linger.ms", std::to_string(*how.linger));
    if (how.inflight) configure(conf, "max.in.flight.requests.per.connection", std::to_string(*how.inflight));
    if (how.batch) {
        configure(conf, "batch.size", std::to_string(*how.batch));
        configure(conf, "batch.num.messages", "1000000");
        if (*how.batch > 1'000'000) configure(conf, "message.max.bytes", std::to_string(*how.batch + 1000));
    }
    if (how.buffer_kb) {
        configure(conf, "queue.buffering.max.kbytes", std::to_string(*how.buffer_kb));
        configure(conf, "queue.buffering.max.messages", "10000000");
    }
    for (const auto& [key, value] : how.extra) configure(conf, key, value);
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
    return conf;
}

class sender {
public:
    explicit sender(const options& how) : how_(how), payload_(payload_of(how)) {
        value_count_ = payload_.size() / static_cast<std::size_t>(how.size);
        splitmix draw{3};
        for (int i = 0; how.key == 16 && i < 1024; ++i) {
            char text[17];
            std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(draw.next()));
            keys_.emplace_back(text, 16);
        }
        char error[512];
        kafka_ = rd_kafka_new(RD_KAFKA_PRODUCER, configuration(how), error, sizeof error);
        if (kafka_ == nullptr) fail(error);
        topic_ = rd_kafka_topic_new(kafka_, how.topic.c_str(), nullptr);
        if (topic_ == nullptr) give_up(rd_kafka_err2str(rd_kafka_last_error()));
        queue_ = rd_kafka_queue_get_main(kafka_);
        wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        const std::uint64_t one = 1;
        rd_kafka_queue_io_event_enable(queue_, wake_, &one, sizeof one);
    }

    // Sends so many records, at the rate asked for if it is not the warm-up, and waits until all of them are acknowledged.
    void run(std::int64_t count, bool is_measured) {
        samples_ = is_measured;
        const std::int64_t rate = is_measured ? how_.rate : 0;
        const std::int64_t begin = now();
        const std::int64_t done_before = done();
        std::int64_t sent = 0;
        for (std::int64_t millisecond = 1; sent < count; ++millisecond) {
            const std::int64_t until = rate == 0 ? count : std::min(count, rate * millisecond / 1000);
            while (sent < until) {
                const auto [partition, left_of_chunk] = place(static_cast<std::int64_t>(next_));
                const std::int64_t some = std::min({until - sent, left_of_chunk, run_max});
                if (how_.produce_batch && some > 1) {
                    send_batch(sent, some, partition);
                } else {
                    for (std::int64_t i = 0; i < some; ++i) send(sent + i, partition);
                }
                sent += some;
                take_reports(0);
            }
            if (rate > 0 && sent < count) wait_until(begin + millisecond * 1'000'000);
        }
        // What lingers is sent now; with events, who flushes does not take the reports.
        std::thread flushing([this] { rd_kafka_flush(kafka_, 600'000); });
        while (done() - done_before < count) take_reports(100);
        flushing.join();
    }

    std::int64_t acknowledged() const { return acknowledged_; }
    std::int64_t failed() const { return failed_; }
    std::vector<std::int64_t>& latencies() { return latencies_; }

    void close() {
        close_topic();
        rd_kafka_destroy(kafka_);
    }

private:
    static constexpr std::int64_t run_max = 10'000;

    // Where a record goes, counted from the first one of the warm-up, and how many go there with it.
    std::pair<std::int32_t, std::int64_t> place(std::int64_t number) const {
        if (how_.partitions == 0) return {RD_KAFKA_PARTITION_UA, run_max};
        return {static_cast<std::int32_t>(number / how_.chunk % how_.partitions),
                how_.chunk - number % how_.chunk};
    }

    void close_topic() {
        rd_kafka_topic_destroy(topic_);
        rd_kafka_queue_destroy(queue_);
    }
    std::int64_t done() const { return acknowledged_ + failed_; }
    char* next_value() {
        char* value = payload_.data() + next_ % value_count_ * static_cast<std::size_t>(how_.size);
        return value;
    }
    const std::string* next_key() const { return keys_.empty() ? nullptr : &keys_[next_ % keys_.size()]; }
    // What comes back with the report: when it was sent, for those whose latency is asked for.
    void* mark(std::int64_t number) const {
        return samples_ && how_.sample > 0 && number % how_.sample == 0 ? reinterpret_cast<void*>(now())
                                                                        : nullptr;
    }

    void send(std::int64_t number, std::int32_t partition) {
        const std::string* key = next_key();
        void* marked = mark(number);
        while (rd_kafka_produce(topic_, partition, 0, next_value(), static_cast<std::size_t>(how_.size),
                                key ? key->data() : nullptr, key ? key->size() : 0, marked) != 0) {
            if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
                give_up(rd_kafka_err2str(rd_kafka_last_error()));
            take_reports(100);
        }
        ++next_;
    }

    void send_batch(std::int64_t first, std::int64_t count, std::int32_t partition) {
        batch_.clear();
        for (std::int64_t i = 0; i < count; ++i) {
            rd_kafka_message_t& each = batch_.emplace_back();
            std::memset(&each, 0, sizeof each);
            const std::string* key = next_key();
            each.payload = next_value();
            each.len = static_cast<std::size_t>(how_.size);
            each.key = key ? const_cast<char*>(key->data()) : nullptr;
            each.key_len = key ? key->size() : 0;
            each._private = mark(first + i);
            ++next_;
        }
        while (!batch_.empty()) {
            const auto accepted = static_cast<std::size_t>(
                rd_kafka_produce_batch(topic_, partition, 0, batch_.data(), static_cast<int>(batch_.size())));
            if (accepted == batch_.size()) return;
            std::erase_if(batch_, [](const rd_kafka_message_t& each) {
                return each.err == RD_KAFKA_RESP_ERR_NO_ERROR;
            });
            for (rd_kafka_message_t& each : batch_) {
                if (each.err != RD_KAFKA_RESP_ERR__QUEUE_FULL) give_up(rd_kafka_err2str(each.err));
                each.err = RD_KAFKA_RESP_ERR_NO_ERROR;
            }
            take_reports(100);
        }
    }

    // Takes what there is; waits for the first of it at most that long.
    void take_reports(int wait_ms) {
        while (rd_kafka_event_t* event = rd_kafka_queue_poll(queue_, wait_ms)) {
            wait_ms = 0;
            if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR) {
                take_messages(event);
            } else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR) {
                std::fprintf(stderr, "librdkafka: %s\n", rd_kafka_event_error_string(event));
                if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__FATAL) std::exit(1);
            }
            rd_kafka_event_destroy(event);
        }
        if (const std::int64_t time = now(); time >= next_line_) print_progress(time);
    }

    void take_messages(rd_kafka_event_t* event) {
        const std::int64_t time = now();
        while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event)) {
            if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
                if (failed_++ == 0)
                    std::fprintf(stderr, "librdkafka: a record failed: %s\n", rd_kafka_err2str(message->err));
                continue;
            }
            ++acknowledged_;
            if (message->_private != nullptr)
                latencies_.push_back(time - reinterpret_cast<std::int64_t>(message->_private));
        }
    }

    void wait_until(std::int64_t when) {
        for (std::int64_t left; (left = when - now()) > 0;) {
            const timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
            pollfd watched{wake_, POLLIN, 0};
            if (ppoll(&watched, 1, &timeout, nullptr) > 0) {
                std::uint64_t drained;
                (void)!read(wake_, &drained, sizeof drained);
                take_reports(0);
            }
        }
        take_reports(0);
    }

    void print_progress(std::int64_t time) {
        if (next_line_ > 0) {
            std::fprintf(stderr, "librdkafka: %lld acknowledged, %lld records/s\n",
                         static_cast<long long>(acknowledged_),
                         static_cast<long long>(acknowledged_ - last_acknowledged_));
        }
        last_acknowledged_ = acknowledged_;
        next_line_ = time + 1'000'000'000;
    }

    const options& how_;
    std::string payload_;
    std::size_t value_count_ = 0;
    std::vector<std::string> keys_;
    rd_kafka_t* kafka_ = nullptr;
    rd_kafka_topic_t* topic_ = nullptr;
    rd_kafka_queue_t* queue_ = nullptr;
    int wake_ = -1;
    bool samples_ = false;
    std::size_t next_ = 0;
    std::vector<rd_kafka_message_t> batch_;
    std::int64_t acknowledged_ = 0;
    std::int64_t failed_ = 0;
    std::int64_t last_acknowledged_ = 0;
    std::int64_t next_line_ = 0;
    std::vector<std::int64_t> latencies_;
};

std::string percentile(const std::vector<std::int64_t>& sorted, double part) {
    if (sorted.empty()) return "null";
    const auto at = std::min(sorted.size() - 1, static_cast<std::size_t>(part * double(sorted.size())));
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", double(sorted[at]) / 1000);
    return text;
}

}  // namespace

int main(int count, char** words) {
    const options how = parse(count, words);
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    sender client(how);
    if (how.warmup > 0) client.run(how.warmup, false);
    if (how.sample > 0) client.latencies().reserve(static_cast<std::size_t>(how.records / how.sample + 1));

    const double cpu_before = cpu_seconds();
    const std::int64_t before = now(), acknowledged_before = client.acknowledged();
    client.run(how.records, true);
    const double wall = double(now() - before) / 1e9, cpu = cpu_seconds() - cpu_before;
    const double acknowledged = double(client.acknowledged() - acknowledged_before);
    const double resident = resident_max_mb();
    client.close();

    auto& latencies = client.latencies();
    std::sort(latencies.begin(), latencies.end());
    std::printf(
        "{\"peer\":\"librdkafka\",\"version\":\"%s\",\"records\":%.0f,\"size\":%lld,\"records_s\":%.0f,\"mb_"
        "s\":%.2f,"
        "\"wall_s\":%.4f,\"cpu_s\":%.4f,\"cpu_s_per_m\":%.4f,\"rss_mb\":%.1f,\"p50_us\":%s,\"p95_us\":%s,"
        "\"p99_us\":%s,"
        "\"p999_us\":%s,\"max_us\":%s,\"errors\":%lld}\n",
        rd_kafka_version_str(), acknowledged, static_cast<long long>(how.size), acknowledged / wall,
        acknowledged * double(how.size) / wall / 1e6, wall, cpu,
        acknowledged > 0 ? cpu / acknowledged * 1e6 : 0.0, resident, percentile(latencies, .5).c_str(),
        percentile(latencies, .95).c_str(), percentile(latencies, .99).c_str(),
        percentile(latencies, .999).c_str(), percentile(latencies, 1).c_str(),
        static_cast<long long>(client.failed()));
    return client.failed() > 0 ? 1 : 0;
}
