#include "gauge/failure.h"

#include "gauge/bytes.h"

namespace thimble::gauge {

std::string_view to_string(FailureKind kind) {
  switch (kind) {
    case FailureKind::malformed: return "malformed";
    case FailureKind::truncated: return "truncated";
    case FailureKind::unsafe_name: return "unsafe-name";
    case FailureKind::duplicate_name: return "duplicate-name";
    case FailureKind::overlap: return "overlap";
    case FailureKind::encrypted: return "encrypted";
    case FailureKind::compressed: return "compressed";
    case FailureKind::unsupported_method: return "unsupported-method";
    case FailureKind::unsupported_version: return "unsupported-version";
    case FailureKind::lying_size: return "lying-size";
    case FailureKind::bad_checksum: return "bad-checksum";
    case FailureKind::ratio: return "ratio";
    case FailureKind::too_large: return "too-large";
    case FailureKind::too_deep: return "too-deep";
    case FailureKind::cycle: return "cycle";
    case FailureKind::too_many: return "too-many";
    case FailureKind::not_a_model: return "not-a-model";
    case FailureKind::io: return "io";
  }
  return "malformed";
}

FailureKind failure_of(const Error& error) {
  if (const auto* refused = dynamic_cast<const Refused*>(&error)) return refused->failure();
  if (dynamic_cast<const Truncated*>(&error) != nullptr) return FailureKind::truncated;
  if (error.kind() == ErrorKind::unsupported) return FailureKind::unsupported_version;
  if (error.kind() == ErrorKind::io) return FailureKind::io;
  return FailureKind::malformed;
}

}  // namespace thimble::gauge
