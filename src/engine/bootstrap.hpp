// bootstrap.servers: from text to addresses, and whether any of them is one.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/endpoint.hpp"
#include "net/resolver.hpp"

namespace sluice {

// "host:port,[::1]:9092". Throws nothing: what validate_bootstrap() accepted is parsed, the rest is left out.
std::vector<host_port> parse_bootstrap(std::string_view servers);
// What is wrong with it, in words, or nothing.
std::optional<std::string> validate_bootstrap(std::string_view servers);

// Looks all of them up, one after the other, until one is known. Owner: one loop.
class bootstrap_lookup {
public:
    using callback = std::function<void(bool is_any_known, const std::string& trouble)>;
    bootstrap_lookup(resolver& names, std::vector<host_port> servers, callback done);
    ~bootstrap_lookup();

    void start();

private:
    struct lookup final : name_lookup {
        explicit lookup(bootstrap_lookup& of_) noexcept : name_lookup(&answered), of(of_) {}
        static void answered(name_lookup& self) noexcept { static_cast<lookup&>(self).of.on_answer(); }
        bootstrap_lookup& of;
    };
    void on_answer();

    resolver& names_;
    std::vector<host_port> servers_;
    callback done_;
    std::size_t next_ = 0;
    std::string trouble_;
    lookup lookup_{*this};
};

}  // namespace sluice
