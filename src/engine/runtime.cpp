#include "sluice/runtime.hpp"

#include <pthread.h>
#include <sched.h>

#include <boost/asio/executor_work_guard.hpp>
#include <thread>

#include "sluice/error.hpp"

namespace sluice {
namespace {

// The CPUs that this process may use, in order.
std::vector<int> usable_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<int> cpus;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
    return cpus;
}

}  // namespace

class runtime::runner {
public:
    runner(const loop_options& options, int cpu)
        : loop_(options), work_(loop_.get_executor()), thread_([this, cpu] {
              if (cpu >= 0) {
                  cpu_set_t one;
                  CPU_ZERO(&one);
                  CPU_SET(cpu, &one);
                  pthread_setaffinity_np(pthread_self(), sizeof one, &one);
              }
              loop_.run();
          }) {}
    ~runner() { join(); }

    void let_end() noexcept { work_.reset(); }  // run() ends when the producers on it have ended
    void join() {
        let_end();
        if (thread_.joinable()) thread_.join();
    }

    loop& running() noexcept { return loop_; }

private:
    loop loop_;
    boost::asio::executor_work_guard<loop::executor_type> work_;
    std::thread thread_;
};

runtime::runtime(runtime_options options) {
    if (options.shards == 0)
        throw error(errc::invalid_config, "runtime_options::shards: 0 is not allowed; expected 1 or more");
    const std::vector<int> cpus = options.pin ? usable_cpus() : std::vector<int>();
    for (std::size_t i = 0; i < options.shards; ++i) {
        const int cpu = cpus.empty() ? -1 : cpus[i % cpus.size()];
        runners_.push_back(std::make_unique<runner>(options.loop, cpu));
        loops_.push_back(&runners_.back()->running());
    }
}

// Loops post to one another, and who has posted rings: a loop may be destroyed when all threads have come back.
runtime::~runtime() {
    for (const auto& each : runners_) each->let_end();
    for (const auto& each : runners_) each->join();
}

}  // namespace sluice
