// The program under test as a child process, its ends of the pipes held here.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace sluice::testing {

// What a program's standard error is connected to.
enum class error_output { pipe, terminal };

// How a program ended: its exit status, or the signal that killed it.
struct program_end {
    int status = -1;
    int signal = 0;

    friend bool operator==(const program_end&, const program_end&) = default;
};

// Owner: caller. What the program prints is read by a thread of this object as it comes. Destroying it kills the program.
class child_program {
public:
    explicit child_program(const std::vector<std::string>& arguments,
                           error_output where = error_output::pipe);  // of SLUICE_PROGRAM
    child_program(std::string path, const std::vector<std::string>& arguments,
                  error_output where = error_output::pipe);
    ~child_program();
    child_program(const child_program&) = delete;
    child_program& operator=(const child_program&) = delete;

    pid_t pid() const noexcept { return pid_; }
    // Blocks while the pipe is full. False if the program reads no more.
    bool write(std::string_view text);
    void close_input();
    void send_signal(int number);
    // To one thread of the program that is not its first.
    void send_signal_to_another_thread(int number);

    // Until the text was printed on standard error, or that has ended; true if it was.
    bool wait_for_error_text(std::string_view text);
    // The same of standard output.
    bool wait_for_output_text(std::string_view text);
    // Until the program has ended.
    program_end wait();
    // What there is so far; all of it, after wait().
    std::string output();
    std::string error_text();

private:
    class stream {
    public:
        ~stream();
        void start(int fd);
        void join();
        bool wait_for(std::string_view text);
        std::string text();

    private:
        void read_to_end();
        int fd_ = -1;
        std::mutex mutex_;
        std::condition_variable changed_;
        std::string text_;
        bool is_at_end_ = false;
        std::thread reader_;
    };

    pid_t pid_ = -1;
    int input_ = -1;
    stream output_;
    stream error_;
};

// Runs to the end with this input.
struct program_result {
    program_end end;
    std::string output;
    std::string error_text;
};
program_result run_program(const std::vector<std::string>& arguments, std::string_view input = {});

}  // namespace sluice::testing
