#include "sluice/testing/fate.hpp"

namespace sluice::testing {

fate fate::delay(duration wait) {
    fate made;
    made.handle_after = wait;
    return made;
}

fate fate::answer_late(duration wait) {
    fate made;
    made.answer_after = wait;
    return made;
}

fate fate::never_answer() {
    return delay(never);
}
fate fate::apply_and_never_answer() {
    return answer_late(never);
}

fate fate::disconnect() {
    fate made = apply_then_disconnect();
    made.is_applied = false;
    return made;
}

fate fate::apply_then_disconnect() {
    fate made;
    made.how = reply::disconnect;
    return made;
}

fate fate::error(broker_errc code, std::vector<topic_partition> only) {
    fate made = error_after_apply(code, std::move(only));
    made.is_applied =
        code == broker_errc::not_enough_replicas_after_append || code == broker_errc::request_timed_out;
    return made;
}

fate fate::error_after_apply(broker_errc code, std::vector<topic_partition> only) {
    fate made;
    made.code = code;
    made.only = std::move(only);
    return made;
}

fate fate::garbage(std::string bytes) {
    fate made;
    made.how = reply::garbage;
    made.garbage_bytes = std::move(bytes);
    return made;
}

fate fate::huge_frame() {
    fate made;
    made.how = reply::huge_frame;
    return made;
}

fate fate::wrong_correlation_id() {
    fate made;
    made.how = reply::wrong_correlation_id;
    return made;
}

fate fate::half_answer() {
    fate made;
    made.how = reply::half;
    return made;
}

}  // namespace sluice::testing
