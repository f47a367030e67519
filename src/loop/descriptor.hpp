// A file descriptor of ours: sockets, eventfds, the epoll instance.
#pragma once

#include <unistd.h>

#include <utility>

namespace sluice {

// Owns one descriptor, or none (-1). Owner: one shard.
class descriptor {
public:
    descriptor() = default;
    explicit descriptor(int number) noexcept : number_(number) {}
    descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~descriptor() {
        if (number_ >= 0) ::close(number_);
    }

    int get() const noexcept { return number_; }
    bool is_open() const noexcept { return number_ >= 0; }

private:
    int number_ = -1;
};

}  // namespace sluice
