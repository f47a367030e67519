#include "engine/partitions_query.hpp"

#include "engine/producer_core.hpp"

namespace sluice {
namespace {

// Lives from the question to the answer. Owner: shard 0.
class partitions_query final : public topic_waiter {
public:
    partitions_query(shard& home, shard_topic& asked, partitions_answer answer)
        : home_(home), topic_(asked), answer_(std::move(answer)) {}

    void start(time_point now) {
        started_ = now;
        if (try_answer()) return;
        topic_.waiters.push_back(*this);
        home_.loop().set_timer(deadline_, after(now, home_.core().config().max_block));
    }

    void serve_topic(time_point) override {
        if (try_answer()) return;  // and gone
        list_hook<topic_waiter>::unlink();
        topic_.waiters.push_back(*this);
    }

private:
    bool try_answer() {
        const error_code hopeless = topic_.hopeless_error();
        if (!topic_.is_known() && !hopeless && !home_.is_ending()) return false;
        if (topic_.is_known()) {
            answer({}, {}, topic_.node.get());
        } else if (hopeless) {
            answer(hopeless, home_.hopeless_text(topic_), nullptr);
        } else {
            answer(errc::closed, shared_text("the producer is closed"), nullptr);
        }
        return true;
    }

    struct deadline_timer : timer {
        explicit deadline_timer(partitions_query& of_) noexcept : timer(&expire), of(of_) {}
        static void expire(timer& due) noexcept {
            partitions_query& late = static_cast<deadline_timer&>(due).of;
            const duration waited = late.home_.loop().now() - late.started_;
            late.answer(errc::metadata_timeout, late.home_.metadata_text(late.topic_, any_partition, waited),
                        nullptr);
        }
        partitions_query& of;
    };

    void answer(error_code why, shared_text text, const topic_node* known) {
        const partitions_answer told = std::move(answer_);
        const std::shared_ptr<const topic_node> keep = topic_.node;
        delete this;
        told(why, std::move(text), known);
    }

    shard& home_;
    shard_topic& topic_;
    partitions_answer answer_;
    time_point started_{};
    deadline_timer deadline_{*this};
};

}  // namespace

void ask_partitions(producer_core& core, std::string_view topic, partitions_answer answer) {
    const auto shared = std::make_shared<partitions_answer>(std::move(answer));
    const bool is_asked =
        !topic.empty() && core.at(0).post_function([shared, entry = core.entry_for(topic)](shard& home) {
            shard_topic& asked = home.add_topic(entry);
            if (!asked.is_known()) home.want_for_others(entry);
            (new partitions_query(home, asked, std::move(*shared)))->start(home.loop().now());
        });
    if (is_asked) return;
    if (topic.empty())
        return (*shared)(errc::invalid_record, shared_text("partitions_for() needs a topic"), nullptr);
    (*shared)(errc::closed, shared_text("the producer is closed"), nullptr);
}

}  // namespace sluice
