#include "base/broker_error.hpp"

#include <algorithm>
#include <iterator>

namespace sluice {
namespace {

constexpr auto other = broker_error::other;
constexpr auto retriable = broker_error::retriable;
constexpr auto refresh_retriable = broker_error::refresh_retriable;
constexpr auto invalid_metadata = broker_error::invalid_metadata;
constexpr auto application_recoverable = broker_error::application_recoverable;
constexpr auto invalid_configuration = broker_error::invalid_configuration;
constexpr auto authorization = broker_error::authorization;
constexpr auto authentication = broker_error::authentication;

// clang-format off
constexpr broker_error table[] = {
    {-1, "UNKNOWN_SERVER_ERROR", "UnknownServerException", other},
    {0, "NONE", "", other},
    {1, "OFFSET_OUT_OF_RANGE", "OffsetOutOfRangeException", other},
    {2, "CORRUPT_MESSAGE", "CorruptRecordException", retriable},
    {3, "UNKNOWN_TOPIC_OR_PARTITION", "UnknownTopicOrPartitionException", retriable | refresh_retriable | invalid_metadata},
    {4, "INVALID_FETCH_SIZE", "InvalidFetchSizeException", other},
    {5, "LEADER_NOT_AVAILABLE", "LeaderNotAvailableException", retriable | refresh_retriable | invalid_metadata},
    {6, "NOT_LEADER_OR_FOLLOWER", "NotLeaderOrFollowerException", retriable | refresh_retriable | invalid_metadata},
    {7, "REQUEST_TIMED_OUT", "TimeoutException", retriable},
    {8, "BROKER_NOT_AVAILABLE", "BrokerNotAvailableException", other},
    {9, "REPLICA_NOT_AVAILABLE", "ReplicaNotAvailableException", retriable | refresh_retriable | invalid_metadata},
    {10, "MESSAGE_TOO_LARGE", "RecordTooLargeException", other},
    {11, "STALE_CONTROLLER_EPOCH", "ControllerMovedException", other},
    {12, "OFFSET_METADATA_TOO_LARGE", "OffsetMetadataTooLarge", other},
    {13, "NETWORK_EXCEPTION", "NetworkException", retriable | refresh_retriable | invalid_metadata},
    {14, "COORDINATOR_LOAD_IN_PROGRESS", "CoordinatorLoadInProgressException", retriable},
    {15, "COORDINATOR_NOT_AVAILABLE", "CoordinatorNotAvailableException", retriable | refresh_retriable},
    {16, "NOT_COORDINATOR", "NotCoordinatorException", retriable | refresh_retriable},
    {17, "INVALID_TOPIC_EXCEPTION", "InvalidTopicException", invalid_configuration},
    {18, "RECORD_LIST_TOO_LARGE", "RecordBatchTooLargeException", invalid_configuration},
    {19, "NOT_ENOUGH_REPLICAS", "NotEnoughReplicasException", retriable},
    {20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", "NotEnoughReplicasAfterAppendException", retriable},
    {21, "INVALID_REQUIRED_ACKS", "InvalidRequiredAcksException", invalid_configuration},
    {22, "ILLEGAL_GENERATION", "IllegalGenerationException", application_recoverable},
    {23, "INCONSISTENT_GROUP_PROTOCOL", "InconsistentGroupProtocolException", other},
    {24, "INVALID_GROUP_ID", "InvalidGroupIdException", other},
    {25, "UNKNOWN_MEMBER_ID", "UnknownMemberIdException", application_recoverable},
    {26, "INVALID_SESSION_TIMEOUT", "InvalidSessionTimeoutException", other},
    {27, "REBALANCE_IN_PROGRESS", "RebalanceInProgressException", other},
    {28, "INVALID_COMMIT_OFFSET_SIZE", "InvalidCommitOffsetSizeException", other},
    {29, "TOPIC_AUTHORIZATION_FAILED", "TopicAuthorizationException", invalid_configuration | authorization},
    {30, "GROUP_AUTHORIZATION_FAILED", "GroupAuthorizationException", invalid_configuration | authorization},
    {31, "CLUSTER_AUTHORIZATION_FAILED", "ClusterAuthorizationException", invalid_configuration | authorization},
    {32, "INVALID_TIMESTAMP", "InvalidTimestampException", other},
    {33, "UNSUPPORTED_SASL_MECHANISM", "UnsupportedSaslMechanismException", invalid_configuration | authentication},
    {34, "ILLEGAL_SASL_STATE", "IllegalSaslStateException", invalid_configuration | authentication},
    {35, "UNSUPPORTED_VERSION", "UnsupportedVersionException", invalid_configuration},
    {36, "TOPIC_ALREADY_EXISTS", "TopicExistsException", other},
    {37, "INVALID_PARTITIONS", "InvalidPartitionsException", other},
    {38, "INVALID_REPLICATION_FACTOR", "InvalidReplicationFactorException", invalid_configuration},
    {39, "INVALID_REPLICA_ASSIGNMENT", "InvalidReplicaAssignmentException", other},
    {40, "INVALID_CONFIG", "InvalidConfigurationException", invalid_configuration},
    {41, "NOT_CONTROLLER", "NotControllerException", retriable},
    {42, "INVALID_REQUEST", "InvalidRequestException", other},
    {43, "UNSUPPORTED_FOR_MESSAGE_FORMAT", "UnsupportedForMessageFormatException", invalid_configuration},
    {44, "POLICY_VIOLATION", "PolicyViolationException", other},
    {45, "OUT_OF_ORDER_SEQUENCE_NUMBER", "OutOfOrderSequenceException", other},
    {46, "DUPLICATE_SEQUENCE_NUMBER", "DuplicateSequenceException", other},
    {47, "INVALID_PRODUCER_EPOCH", "InvalidProducerEpochException", application_recoverable},
    {48, "INVALID_TXN_STATE", "InvalidTxnStateException", other},
    {49, "INVALID_PRODUCER_ID_MAPPING", "InvalidPidMappingException", application_recoverable},
    {50, "INVALID_TRANSACTION_TIMEOUT", "InvalidTxnTimeoutException", other},
    {51, "CONCURRENT_TRANSACTIONS", "ConcurrentTransactionsException", retriable},
    {52, "TRANSACTION_COORDINATOR_FENCED", "TransactionCoordinatorFencedException", other},
    {53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "TransactionalIdAuthorizationException", invalid_configuration | authorization},
    {54, "SECURITY_DISABLED", "SecurityDisabledException", other},
    {55, "OPERATION_NOT_ATTEMPTED", "OperationNotAttemptedException", other},
    {56, "KAFKA_STORAGE_ERROR", "KafkaStorageException", retriable | refresh_retriable | invalid_metadata},
    {57, "LOG_DIR_NOT_FOUND", "LogDirNotFoundException", other},
    {58, "SASL_AUTHENTICATION_FAILED", "SaslAuthenticationException", invalid_configuration | authentication},
    {59, "UNKNOWN_PRODUCER_ID", "UnknownProducerIdException", other},
    {60, "REASSIGNMENT_IN_PROGRESS", "ReassignmentInProgressException", other},
    {61, "DELEGATION_TOKEN_AUTH_DISABLED", "DelegationTokenDisabledException", other},
    {62, "DELEGATION_TOKEN_NOT_FOUND", "DelegationTokenNotFoundException", other},
    {63, "DELEGATION_TOKEN_OWNER_MISMATCH", "DelegationTokenOwnerMismatchException", other},
    {64, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", "UnsupportedByAuthenticationException", other},
    {65, "DELEGATION_TOKEN_AUTHORIZATION_FAILED", "DelegationTokenAuthorizationException", invalid_configuration | authorization},
    {66, "DELEGATION_TOKEN_EXPIRED", "DelegationTokenExpiredException", other},
    {67, "INVALID_PRINCIPAL_TYPE", "InvalidPrincipalTypeException", other},
    {68, "NON_EMPTY_GROUP", "GroupNotEmptyException", other},
    {69, "GROUP_ID_NOT_FOUND", "GroupIdNotFoundException", other},
    {70, "FETCH_SESSION_ID_NOT_FOUND", "FetchSessionIdNotFoundException", retriable},
    {71, "INVALID_FETCH_SESSION_EPOCH", "InvalidFetchSessionEpochException", retriable},
    {72, "LISTENER_NOT_FOUND", "ListenerNotFoundException", retriable | refresh_retriable | invalid_metadata},
    {73, "TOPIC_DELETION_DISABLED", "TopicDeletionDisabledException", other},
    {74, "FENCED_LEADER_EPOCH", "FencedLeaderEpochException", retriable | refresh_retriable | invalid_metadata},
    {75, "UNKNOWN_LEADER_EPOCH", "UnknownLeaderEpochException", retriable},
    {76, "UNSUPPORTED_COMPRESSION_TYPE", "UnsupportedCompressionTypeException", other},
    {77, "STALE_BROKER_EPOCH", "StaleBrokerEpochException", other},
    {78, "OFFSET_NOT_AVAILABLE", "OffsetNotAvailableException", retriable},
    {79, "MEMBER_ID_REQUIRED", "MemberIdRequiredException", other},
    {80, "PREFERRED_LEADER_NOT_AVAILABLE", "PreferredLeaderNotAvailableException", retriable | refresh_retriable | invalid_metadata},
    {81, "GROUP_MAX_SIZE_REACHED", "GroupMaxSizeReachedException", other},
    {82, "FENCED_INSTANCE_ID", "FencedInstanceIdException", application_recoverable},
    {83, "ELIGIBLE_LEADERS_NOT_AVAILABLE", "EligibleLeadersNotAvailableException", retriable | refresh_retriable | invalid_metadata},
    {84, "ELECTION_NOT_NEEDED", "ElectionNotNeededException", retriable | refresh_retriable | invalid_metadata},
    {85, "NO_REASSIGNMENT_IN_PROGRESS", "NoReassignmentInProgressException", other},
    {86, "GROUP_SUBSCRIBED_TO_TOPIC", "GroupSubscribedToTopicException", other},
    {87, "INVALID_RECORD", "InvalidRecordException", invalid_configuration},
    {88, "UNSTABLE_OFFSET_COMMIT", "UnstableOffsetCommitException", retriable},
    {89, "THROTTLING_QUOTA_EXCEEDED", "ThrottlingQuotaExceededException", retriable},
    {90, "PRODUCER_FENCED", "ProducerFencedException", application_recoverable},
    {91, "RESOURCE_NOT_FOUND", "ResourceNotFoundException", other},
    {92, "DUPLICATE_RESOURCE", "DuplicateResourceException", other},
    {93, "UNACCEPTABLE_CREDENTIAL", "UnacceptableCredentialException", other},
    {94, "INCONSISTENT_VOTER_SET", "InconsistentVoterSetException", other},
    {95, "INVALID_UPDATE_VERSION", "InvalidUpdateVersionException", other},
    {96, "FEATURE_UPDATE_FAILED", "FeatureUpdateFailedException", other},
    {97, "PRINCIPAL_DESERIALIZATION_FAILURE", "PrincipalDeserializationException", other},
    {98, "SNAPSHOT_NOT_FOUND", "SnapshotNotFoundException", other},
    {99, "POSITION_OUT_OF_RANGE", "PositionOutOfRangeException", other},
    {100, "UNKNOWN_TOPIC_ID", "UnknownTopicIdException", retriable | refresh_retriable | invalid_metadata},
    {101, "DUPLICATE_BROKER_REGISTRATION", "DuplicateBrokerRegistrationException", other},
    {102, "BROKER_ID_NOT_REGISTERED", "BrokerIdNotRegisteredException", other},
    {103, "INCONSISTENT_TOPIC_ID", "InconsistentTopicIdException", retriable | refresh_retriable | invalid_metadata},
    {104, "INCONSISTENT_CLUSTER_ID", "InconsistentClusterIdException", other},
    {105, "TRANSACTIONAL_ID_NOT_FOUND", "TransactionalIdNotFoundException", other},
    {106, "FETCH_SESSION_TOPIC_ID_ERROR", "FetchSessionTopicIdException", retriable},
    {107, "INELIGIBLE_REPLICA", "IneligibleReplicaException", other},
    {108, "NEW_LEADER_ELECTED", "NewLeaderElectedException", other},
    {109, "OFFSET_MOVED_TO_TIERED_STORAGE", "OffsetMovedToTieredStorageException", other},
    {110, "FENCED_MEMBER_EPOCH", "FencedMemberEpochException", other},
    {111, "UNRELEASED_INSTANCE_ID", "UnreleasedInstanceIdException", other},
    {112, "UNSUPPORTED_ASSIGNOR", "UnsupportedAssignorException", other},
    {113, "STALE_MEMBER_EPOCH", "StaleMemberEpochException", other},
    {114, "MISMATCHED_ENDPOINT_TYPE", "MismatchedEndpointTypeException", other},
    {115, "UNSUPPORTED_ENDPOINT_TYPE", "UnsupportedEndpointTypeException", other},
    {116, "UNKNOWN_CONTROLLER_ID", "UnknownControllerIdException", other},
    {117, "UNKNOWN_SUBSCRIPTION_ID", "UnknownSubscriptionIdException", other},
    {118, "TELEMETRY_TOO_LARGE", "TelemetryTooLargeException", other},
    {119, "INVALID_REGISTRATION", "InvalidRegistrationException", other},
    {120, "TRANSACTION_ABORTABLE", "TransactionAbortableException", other},
    {121, "INVALID_RECORD_STATE", "InvalidRecordStateException", other},
    {122, "SHARE_SESSION_NOT_FOUND", "ShareSessionNotFoundException", retriable},
    {123, "INVALID_SHARE_SESSION_EPOCH", "InvalidShareSessionEpochException", retriable},
    {124, "FENCED_STATE_EPOCH", "FencedStateEpochException", other},
    {125, "INVALID_VOTER_KEY", "InvalidVoterKeyException", other},
    {126, "DUPLICATE_VOTER", "DuplicateVoterException", other},
    {127, "VOTER_NOT_FOUND", "VoterNotFoundException", other},
    {128, "INVALID_REGULAR_EXPRESSION", "InvalidRegularExpression", other},
    {129, "REBOOTSTRAP_REQUIRED", "RebootstrapRequiredException", other},
    {130, "STREAMS_INVALID_TOPOLOGY", "StreamsInvalidTopologyException", other},
    {131, "STREAMS_INVALID_TOPOLOGY_EPOCH", "StreamsInvalidTopologyEpochException", other},
    {132, "STREAMS_TOPOLOGY_FENCED", "StreamsTopologyFencedException", other},
    {133, "SHARE_SESSION_LIMIT_REACHED", "ShareSessionLimitReachedException", retriable},
    {134, "GROUP_DELETION_FAILED", "GroupDeletionFailedException", other},
    {135, "STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED", "StreamsTopologyDescriptionUpdateFailedException", other},
    {136, "CONTROLLER_ID_NOT_REGISTERED", "ControllerIdNotRegisteredException", other},
};
// clang-format on

}  // namespace

const broker_error& find_broker_error(int code) noexcept {
    const auto* found =
        std::lower_bound(std::begin(table), std::end(table), code,
                         [](const broker_error& entry, int wanted) { return entry.code < wanted; });
    if (found == std::end(table) || found->code != code) return table[0];  // UNKNOWN_SERVER_ERROR
    return *found;
}

const broker_error* broker_error_table::begin() const noexcept {
    return std::begin(table);
}
const broker_error* broker_error_table::end() const noexcept {
    return std::end(table);
}

}  // namespace sluice
