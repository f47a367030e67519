#include "base/broker_error.hpp"
#include "unit/vectors/vectors.hpp"

namespace sluice::vectors {
namespace {

void check(const nlohmann::json& vector, verdict& verdict) {
    const auto code = vector.at("code").get<int>();
    const broker_error& entry = find_broker_error(code);
    const nlohmann::json& exception = vector.at("exception");

    verdict.expect_equal("code", code, static_cast<int>(entry.code));
    verdict.expect_equal("name", vector.at("name").get<std::string>(), std::string(entry.name));
    verdict.expect_equal("exception", exception.is_null() ? std::string() : exception.get<std::string>(),
                         std::string(entry.exception));
    const auto compare = [&](const char* name, broker_error::kind kind) {
        verdict.expect_equal(name, vector.at(name).get<bool>(), entry.is(kind));
    };
    compare("retriable", broker_error::retriable);
    compare("refreshRetriable", broker_error::refresh_retriable);
    compare("invalidMetadata", broker_error::invalid_metadata);
    compare("applicationRecoverable", broker_error::application_recoverable);
    compare("invalidConfiguration", broker_error::invalid_configuration);
    compare("authorization", broker_error::authorization);
    compare("authentication", broker_error::authentication);
}

const registration registered("errors", check);

}  // namespace
}  // namespace sluice::vectors
