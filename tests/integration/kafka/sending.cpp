#include "integration/kafka/sending.hpp"

#include <fmt/format.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <deque>

namespace sluice::testing {

namespace asio = boost::asio;

// What one coroutine sends.
class sending::share {
public:
    share(sending& of, std::vector<std::uint32_t> numbers) : sending_(of), numbers_(std::move(numbers)) {}

    // Ends with everything known. By value: the coroutine's frame holds it.
    static asio::awaitable<void> run(share mine) {
        for (const std::uint32_t number : mine.numbers_) {
            if (mine.under_way_.size() == window) co_await mine.settle_oldest();
            try {
                const workload& all = mine.sending_.workload_;
                record sent(mine.sending_.topic_, all.key(number), all.value(number));
                delivery accepted = co_await mine.sending_.producer_.send(sent);
                mine.under_way_.push_back({number, std::move(accepted)});
            } catch (const error& why) {
                mine.sending_.note_failure(number, why.what());
            }
        }
        while (!mine.under_way_.empty()) co_await mine.settle_oldest();
    }

private:
    struct waiting {
        std::uint32_t number;
        delivery awaited;
    };

    asio::awaitable<void> settle_oldest() {
        waiting oldest = std::move(under_way_.front());
        under_way_.pop_front();
        try {
            const record_metadata placed = co_await std::move(oldest.awaited);
            sending_.receipts_[oldest.number] = {placed.partition, placed.offset};
        } catch (const error& why) {
            sending_.note_failure(oldest.number, why.what());
            co_return;
        }
        sending_.known_count_.fetch_add(1, std::memory_order_acq_rel);
        sending_.known_count_.notify_all();
    }

    sending& sending_;
    std::vector<std::uint32_t> numbers_;
    std::deque<waiting> under_way_;
};

sending::sending(runtime& loops, producer& to, const workload& all, const std::string& topic)
    : loops_(loops), producer_(to), workload_(all), topic_(to.topic(topic)), receipts_(all.record_count()) {}

void sending::begin(std::size_t first, std::size_t last) {
    std::vector<std::vector<std::uint32_t>> numbers(coroutine_count);
    for (std::size_t i = first; i < last; ++i) {
        numbers[coroutine_of(workload_.key_index(i))].push_back(static_cast<std::uint32_t>(i));
    }
    begun_count_ += last - first;
    const auto loops = loops_.loops();
    for (std::uint32_t i = 0; i < coroutine_count; ++i) {
        share mine(*this, std::move(numbers[i]));
        asio::co_spawn(loops[i % loops.size()]->get_executor(), share::run(std::move(mine)), asio::detached);
    }
}

void sending::wait_until_known(std::size_t count) {
    for (std::size_t known = known_count(); known < count; known = known_count()) known_count_.wait(known);
}

void sending::note_failure(std::size_t number, const std::string& why) {
    {
        const std::lock_guard lock(mutex_);
        if (first_failure_.empty()) first_failure_ = fmt::format("record {}: {}", number, why);
    }
    failed_count_.fetch_add(1, std::memory_order_acq_rel);
    known_count_.fetch_add(1, std::memory_order_acq_rel);
    known_count_.notify_all();
}

std::string sending::first_failure() {
    const std::lock_guard lock(mutex_);
    return first_failure_;
}

}  // namespace sluice::testing
