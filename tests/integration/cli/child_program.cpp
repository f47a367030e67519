#include "integration/cli/child_program.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace sluice::testing {
namespace {

struct ends {
    int here = -1;
    int there = -1;
};

ends make_pipe(bool is_read_here) {
    int both[2];
    if (::pipe2(both, O_CLOEXEC) != 0) std::abort();
    return is_read_here ? ends{both[0], both[1]} : ends{both[1], both[0]};
}

ends make_terminal() {
    ends made;
    made.here = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (made.here < 0 || ::grantpt(made.here) != 0 || ::unlockpt(made.here) != 0) std::abort();
    char name[64];
    if (::ptsname_r(made.here, name, sizeof name) != 0) std::abort();
    made.there = ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (made.there < 0) std::abort();
    return made;
}

// Threads of the kernel and of sanitizers block signals.
bool is_blocked(const std::filesystem::path& status, int number) {
    std::ifstream lines(status);
    for (std::string word; lines >> word;) {
        std::string mask;
        if (word == "SigBlk:" && lines >> mask)
            return ((std::stoull(mask, nullptr, 16) >> (number - 1)) & 1) != 0;
    }
    return true;
}

}  // namespace

child_program::child_program(const std::vector<std::string>& arguments, error_output where)
    : child_program(SLUICE_PROGRAM, arguments, where) {}

child_program::child_program(std::string path, const std::vector<std::string>& arguments,
                             error_output where) {
    ::signal(SIGPIPE, SIG_IGN);
    const ends input = make_pipe(false);
    const ends output = make_pipe(true);
    const ends error = where == error_output::pipe ? make_pipe(true) : make_terminal();
    std::vector<std::string> copies = arguments;
    std::vector<char*> values{path.data()};
    for (std::string& each : copies) values.push_back(each.data());
    values.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {  // only what is safe after a fork of a program with threads
        ::signal(SIGPIPE, SIG_DFL);
        if (::dup2(input.there, 0) < 0 || ::dup2(output.there, 1) < 0 || ::dup2(error.there, 2) < 0)
            ::_exit(126);
        ::execv(values[0], values.data());
        ::_exit(127);
    }
    EXPECT_GT(pid_, 0);
    ::close(input.there);
    ::close(output.there);
    ::close(error.there);
    input_ = input.here;
    output_.start(output.here);
    error_.start(error.here);
}

child_program::~child_program() {
    close_input();
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

bool child_program::write(std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(input_, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

void child_program::close_input() {
    if (input_ >= 0) ::close(input_);
    input_ = -1;
}

void child_program::send_signal(int number) {
    EXPECT_EQ(::kill(pid_, number), 0);
}

void child_program::send_signal_to_another_thread(int number) {
    for (const auto& each : std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/task")) {
        const int thread = std::stoi(each.path().filename());
        if (thread == pid_ || is_blocked(each.path() / "status", number)) continue;
        EXPECT_EQ(::syscall(SYS_tgkill, pid_, thread, number), 0);
        return;
    }
    ADD_FAILURE() << "no other thread of the program takes the signal";
}

bool child_program::wait_for_error_text(std::string_view text) {
    return error_.wait_for(text);
}

bool child_program::wait_for_output_text(std::string_view text) {
    return output_.wait_for(text);
}

program_end child_program::wait() {
    if (pid_ <= 0) return {};
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    output_.join();
    error_.join();
    program_end ended;
    if (WIFEXITED(status)) ended.status = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) ended.signal = WTERMSIG(status);
    return ended;
}

std::string child_program::output() {
    return output_.text();
}
std::string child_program::error_text() {
    return error_.text();
}

void child_program::stream::start(int fd) {
    fd_ = fd;
    reader_ = std::thread([this] { read_to_end(); });
}

child_program::stream::~stream() {
    join();
}

void child_program::stream::join() {
    if (reader_.joinable()) reader_.join();
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

void child_program::stream::read_to_end() {
    char piece[4096];
    for (;;) {
        const ssize_t got = ::read(fd_, piece, sizeof piece);
        if (got < 0 && errno == EINTR) continue;
        const std::lock_guard lock(mutex_);
        if (got > 0) text_.append(piece, static_cast<std::size_t>(got));
        is_at_end_ = got <= 0;  // a terminal ends with EIO
        changed_.notify_all();
        if (is_at_end_) return;
    }
}

bool child_program::stream::wait_for(std::string_view text) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return is_at_end_ || text_.find(text) != text_.npos; });
    return text_.find(text) != text_.npos;
}

std::string child_program::stream::text() {
    const std::lock_guard lock(mutex_);
    return text_;
}

program_result run_program(const std::vector<std::string>& arguments, std::string_view input) {
    child_program running(arguments);
    running.write(input);
    running.close_input();
    program_result made;
    made.end = running.wait();
    made.output = running.output();
    made.error_text = running.error_text();
    return made;
}

}  // namespace sluice::testing
