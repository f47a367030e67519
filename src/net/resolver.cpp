#include "net/resolver.hpp"

#include <netdb.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

namespace sluice {
namespace {

// One lookup on its way: to the thread and back, as a task of the loop.
struct job : remote_task {
    explicit job(callback done) noexcept : remote_task(done) {}
    name_lookup* lookup = nullptr;  // nullptr: nobody waits any more; touched on the loop only
    host_port wanted;
    std::vector<endpoint> found;
    std::string error_text;
};

void look_up(job& asked) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* answers = nullptr;
    const std::string port = std::to_string(asked.wanted.port);
    const int code = getaddrinfo(asked.wanted.host.c_str(), port.c_str(), &hints, &answers);
    if (code != 0) {
        asked.error_text = code == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(code);
        return;
    }
    const int family = answers->ai_family;
    for (const addrinfo* each = answers; each != nullptr; each = each->ai_next) {
        if (each->ai_family == family) asked.found.push_back(endpoint::from(each->ai_addr, each->ai_addrlen));
    }
    freeaddrinfo(answers);
}

// What the thread and the resolver share; the thread keeps it alive.
struct shared_state {
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<job*> asked;
    event_loop* loop = nullptr;  // nullptr: the resolver is gone, answers go nowhere
    bool is_busy = false;
};

void serve(const std::shared_ptr<shared_state>& shared) {
    std::unique_lock lock(shared->mutex);
    for (;;) {
        shared->wake.wait(lock, [&] { return shared->loop == nullptr || !shared->asked.empty(); });
        if (shared->loop == nullptr) break;
        job* next = shared->asked.front();
        shared->asked.pop_front();
        shared->is_busy = true;
        lock.unlock();
        look_up(*next);
        lock.lock();
        shared->is_busy = false;
        if (shared->loop != nullptr) {
            shared->loop->post_remote(*next);
        } else {
            delete next;
        }
    }
    for (job* left : shared->asked) delete left;
}

class system_resolver final : public resolver {
public:
    explicit system_resolver(event_loop& loop) : loop_(loop), shared_(std::make_shared<shared_state>()) {
        shared_->loop = &loop;
    }

    ~system_resolver() override {
        bool is_busy = false;
        {
            const std::lock_guard lock(shared_->mutex);
            shared_->loop = nullptr;
            is_busy = shared_->is_busy;
        }
        shared_->wake.notify_one();
        if (!thread_.joinable()) return;
        if (is_busy) {
            thread_
                .detach();  // in getaddrinfo, which nothing can interrupt; it touches nothing but what it shares
        } else {
            thread_.join();
        }
    }

    void start(name_lookup& lookup) override {
        ensure(lookup.of_resolver == nullptr);
        lookup.found.clear();
        lookup.error_text.clear();
        auto* asked = new job(&arrive);
        asked->lookup = &lookup;
        asked->wanted = lookup.wanted;
        lookup.of_resolver = asked;
        if (auto literal = endpoint::parse(lookup.wanted.host, lookup.wanted.port)) {
            asked->found.push_back(*literal);
            loop_.post(*asked);
            return;
        }
        if (!thread_.joinable()) thread_ = std::thread(serve, shared_);
        {
            const std::lock_guard lock(shared_->mutex);
            shared_->asked.push_back(asked);
        }
        shared_->wake.notify_one();
    }

    void cancel(name_lookup& lookup) noexcept override {
        if (lookup.of_resolver == nullptr) return;
        static_cast<job*>(lookup.of_resolver)->lookup = nullptr;
        lookup.of_resolver = nullptr;
    }

private:
    static void arrive(task& self, task::fate what) {
        const std::unique_ptr<job> answered(&static_cast<job&>(static_cast<remote_task&>(self)));
        name_lookup* lookup = answered->lookup;
        if (lookup == nullptr) return;
        lookup->of_resolver = nullptr;
        if (what == task::fate::drop) return;
        lookup->found = std::move(answered->found);
        lookup->error_text = std::move(answered->error_text);
        lookup->on_complete(*lookup);
    }

    event_loop& loop_;
    std::shared_ptr<shared_state> shared_;
    std::thread thread_;
};

}  // namespace

std::unique_ptr<resolver> make_system_resolver(event_loop& loop) {
    return std::make_unique<system_resolver>(loop);
}

}  // namespace sluice
