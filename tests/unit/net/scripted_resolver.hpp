// A resolver that answers when the test says so, one question at a time.
#pragma once

#include <initializer_list>
#include <string>

#include "base/ensure.hpp"
#include "net/resolver.hpp"

namespace sluice {

class scripted_resolver final : public resolver {
public:
    void start(name_lookup& lookup) override {
        ensure(asked_ == nullptr);
        asked_ = &lookup;
        lookup.of_resolver = this;
        lookup.found.clear();
        lookup.error_text.clear();
        ++count;
    }
    void cancel(name_lookup& lookup) noexcept override {
        if (&lookup != asked_) return;
        asked_ = nullptr;
        lookup.of_resolver = nullptr;
    }

    // What is asked for now; empty if nothing is.
    std::string asked() const { return asked_ == nullptr ? std::string() : asked_->wanted.text(); }
    void answer(std::initializer_list<const char*> addresses) {
        name_lookup& answered = take();
        for (const char* each : addresses)
            answered.found.push_back(endpoint::parse(each, answered.wanted.port).value());
        answered.on_complete(answered);
    }
    void fail(const char* why) {
        name_lookup& answered = take();
        answered.error_text = why;
        answered.on_complete(answered);
    }

    int count = 0;  // of questions so far

private:
    name_lookup& take() {
        ensure(asked_ != nullptr);
        name_lookup& taken = *asked_;
        asked_ = nullptr;
        taken.of_resolver = nullptr;
        return taken;
    }
    name_lookup* asked_ = nullptr;
};

}  // namespace sluice
