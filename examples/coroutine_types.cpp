// Coroutines that know nothing of Asio: every awaitable call of Sluice has an awaiter of its own.
//
//   coroutine_types TOPIC BOOTSTRAP      sends 2000 records, from two kinds of coroutines
//
// A coroutine goes on where it waited: one that waits on a loop is resumed by that loop, one that waits on any other
// thread by the loop that completes the call.
#include <chrono>
#include <coroutine>
#include <exception>
#include <iostream>
#include <optional>
#include <semaphore>
#include <string>
#include <utility>
#include <vector>

#include <sluice/producer.hpp>

using namespace std::chrono_literals;

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

task<std::size_t> send_some(sluice::producer& producer, const sluice::topic& topic, int count) {
    std::size_t acknowledged = 0;
    for (int i = 0; i < count; ++i) {
        const sluice::record_metadata placed = co_await send_one(producer, topic, i);
        if (placed.offset >= 0) ++acknowledged;
    }
    co_return acknowledged;
}

detached send_detached(sluice::producer& producer, const sluice::topic& topic, int number,
                       std::counting_semaphore<>& acknowledged) {
    const std::string value = "detached " + std::to_string(number);
    co_await producer.deliver({topic, value});
    acknowledged.release();
}

int main(int count, char** arguments) {
    if (count != 3) {
        std::cerr << "usage: coroutine_types TOPIC BOOTSTRAP\n";
        return 2;
    }
    constexpr int each_count = 1000;
    sluice::runtime loops;
    sluice::producer_config config;
    config.bootstrap_servers = arguments[2];
    config.linger = 0ms;  // each task waits for its record
    sluice::producer producer = sync_wait(open(loops, std::move(config)));
    const sluice::topic topic = producer.topic(arguments[1]);

    std::counting_semaphore<> acknowledged(0);
    for (int i = 0; i < each_count; ++i) send_detached(producer, topic, i, acknowledged);
    const std::size_t by_tasks = sync_wait(send_some(producer, topic, each_count));
    for (int i = 0; i < each_count; ++i) acknowledged.acquire();
    std::cout << by_tasks << " by tasks, " << each_count << " by detached coroutines" << std::endl;
}
