#include "sluice/shared_text.hpp"

#include <cstring>
#include <new>
#include <ostream>

namespace sluice {

shared_text::shared_text(std::string_view text) {
    if (text.empty()) return;
    void* memory = ::operator new(sizeof(text_block) + text.size());
    held_ = new (memory) text_block{1, static_cast<std::uint32_t>(text.size())};
    std::memcpy(static_cast<char*>(memory) + sizeof(text_block), text.data(), text.size());
}

void shared_text::release(text_block& block) noexcept {
    if (block.references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    block.~text_block();
    ::operator delete(&block);
}

std::ostream& operator<<(std::ostream& out, const shared_text& text) {
    return out << text.view();
}

}  // namespace sluice
