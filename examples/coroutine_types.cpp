// Coroutines that know nothing of Asio: every awaitable call of Sluice has an awaiter of its own.
//
// A coroutine goes on where it waited: one that waits on a loop is resumed by that loop, one that waits on any other
// thread by the loop that completes the call.
#include <atomic>
#include <chrono>
#include <coroutine>
#include <exception>
#include <iostream>
#include <optional>
#include <semaphore>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sluice/producer.hpp>

using namespace std::chrono_literals;

constexpr auto usage = R"(usage: coroutine_types TOPIC BOOTSTRAP

Sends 2000 records, half of them from each of two kinds of coroutines, and tells how many are stored.

    TOPIC        where the records go
    BOOTSTRAP    brokers of the cluster: HOST:PORT[,HOST:PORT...]

    coroutine_types orders localhost:9092
)";

// ---- the least that is a coroutine: begins at once, and nobody waits for it

struct detached {
    struct promise_type {
        detached get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }
    };
};

// ---- as cppcoro has it: begins when it is awaited, and resumes who awaits it (symmetric transfer)

template <class Value>
class task {
public:
    struct promise_type {
        task get_return_object() noexcept { return task(handle::from_promise(*this)); }
        std::suspend_always initial_suspend() noexcept { return {}; }
        auto final_suspend() noexcept {
            struct transfer {
                bool await_ready() noexcept { return false; }
                std::coroutine_handle<> await_suspend(handle ended) noexcept {
                    return ended.promise().awaiting;
                }
                void await_resume() noexcept {}
            };
            return transfer{};
        }
        void return_value(Value returned) { value.emplace(std::move(returned)); }
        void unhandled_exception() noexcept { failed = std::current_exception(); }

        std::coroutine_handle<> awaiting;
        std::optional<Value> value;
        std::exception_ptr failed;
    };

    task(task&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
    ~task() {
        if (of_) of_.destroy();
    }

    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
        of_.promise().awaiting = awaiting;
        return of_;
    }
    Value await_resume() {
        if (of_.promise().failed) std::rethrow_exception(of_.promise().failed);
        return std::move(*of_.promise().value);
    }

private:
    using handle = std::coroutine_handle<promise_type>;
    explicit task(handle of) noexcept : of_(of) {}
    handle of_;
};

// Blocks this thread until the task has ended.
template <class Value>
Value sync_wait(task<Value> awaited) {
    std::optional<Value> value;
    std::exception_ptr failed;
    std::binary_semaphore is_over(0);
    [](task<Value> awaited, auto& value, auto& failed, auto& is_over) -> detached {
        try {
            value.emplace(co_await awaited);
        } catch (...) {
            failed = std::current_exception();
        }
        is_over.release();
    }(std::move(awaited), value, failed, is_over);
    is_over.acquire();
    if (failed) std::rethrow_exception(failed);
    return std::move(*value);
}

// ---- the same in both

task<sluice::producer> open(sluice::runtime& loops, sluice::producer_config config) {
    co_return co_await sluice::producer::create(loops, std::move(config));
}

task<sluice::record_metadata> send_one(sluice::producer& producer, const sluice::topic& topic, int number) {
    const std::string value = "task " + std::to_string(number);
    sluice::delivery delivery = co_await producer.send({topic, value});  // accepted
    co_return co_await std::move(delivery);                              // acknowledged
}

task<int> send_some(sluice::producer& producer, const sluice::topic& topic, int count) {
    int acknowledged = 0;
    try {
        for (; acknowledged < count; ++acknowledged) co_await send_one(producer, topic, acknowledged);
    } catch (const sluice::error& failed) {
        std::cerr << "coroutine_types: " << failed.what() << std::endl;
    }
    co_return acknowledged;
}

struct tally {
    std::atomic<int> acknowledged = 0;
    std::counting_semaphore<> ended{0};
};

detached send_detached(sluice::producer& producer, const sluice::topic& topic, int number, tally& counted) {
    const std::string value = "detached " + std::to_string(number);
    try {
        co_await producer.deliver({topic, value});
        ++counted.acknowledged;
    } catch (const sluice::error&) {
        // Not counted; nobody waits for this coroutine, whom an exception could be told.
    }
    counted.ended.release();
}

int main(int count, char** arguments) try {
    const std::string_view first = count > 1 ? arguments[1] : "";
    if (first == "--help" || first == "-h") {
        std::cout << usage;
        return 0;
    }
    if (count != 3) {
        std::cerr << "coroutine_types: it takes two arguments (see --help)\n";
        return 2;
    }
    constexpr int each_count = 1000;
    sluice::runtime loops;
    sluice::producer_config config;
    config.bootstrap_servers = arguments[2];
    config.linger = 0ms;  // each task waits for its record
    sluice::producer producer = sync_wait(open(loops, std::move(config)));
    const sluice::topic topic = producer.topic(arguments[1]);

    tally by_detached;
    for (int i = 0; i < each_count; ++i) send_detached(producer, topic, i, by_detached);
    const int by_tasks = sync_wait(send_some(producer, topic, each_count));
    for (int i = 0; i < each_count; ++i) by_detached.ended.acquire();
    std::cout << by_tasks << " by tasks, " << by_detached.acknowledged << " by detached coroutines"
              << std::endl;
    return by_tasks == each_count && by_detached.acknowledged == each_count ? 0 : 1;
} catch (const std::exception& failed) {
    std::cerr << "coroutine_types: " << failed.what() << '\n';
    return 1;
}
