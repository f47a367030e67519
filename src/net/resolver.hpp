// Names to addresses, without holding the loop.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/endpoint.hpp"
#include "loop/event_loop.hpp"
#include "sluice/error.hpp"

namespace sluice {

// One question. In place from start() until `on_complete` ran or cancel() returned.
struct name_lookup {
    using callback = void (*)(name_lookup& self) noexcept;
    explicit name_lookup(callback on_complete_) noexcept : on_complete(on_complete_) {}
    name_lookup(const name_lookup&) = delete;
    name_lookup& operator=(const name_lookup&) = delete;

    callback on_complete;
    host_port wanted;
    std::vector<endpoint> found;  // of one family, as the system orders them (NET-7); empty on failure
    std::string error_text;       // on failure: "Name or service not known"
    void* of_resolver = nullptr;  // the resolver's; nullptr while nothing is under way
};

// Injected, so that simulation can answer, and delay, as it likes. Owner: one loop.
class resolver {
public:
    virtual ~resolver() = default;
    // Completes once on the loop, in a later phase or turn.
    virtual void start(name_lookup& lookup) = 0;
    // Afterwards `lookup` is not touched any more.
    virtual void cancel(name_lookup& lookup) noexcept = 0;
};

// getaddrinfo(3) on a thread of its own, which is started for the first name that is not an address already. A name
// server that does not answer holds that thread, not the loop; it ends by itself after the resolver is gone.
std::unique_ptr<resolver> make_system_resolver(event_loop& loop);

}  // namespace sluice
