#include "gauge/scan/candidates.h"

#include <algorithm>
#include <cstring>

#include "base/file.h"
#include "gauge/detect/names.h"
#include "gauge/detect/randomness.h"

namespace thimble::gauge {
namespace {

constexpr std::size_t kMostTries = 256;      // carving: candidates of one format in one blob that turn out to be none
constexpr std::uint64_t kLeastCarved = 256;  // bytes; smaller models are not looked for inside other files
constexpr std::uint64_t kPadding = 64;

enum class Claim { none, shared_suffix, own_suffix, signature };

Claim claim_of(const ModelProbe& probe, std::string_view path, Bytes head) {
  if (probe.signature(head)) return Claim::signature;
  if (has_suffix(path, probe.own_suffixes)) return Claim::own_suffix;
  return has_suffix(path, probe.shared_suffixes) ? Claim::shared_suffix : Claim::none;
}

const char* found_by(const ModelProbe& probe, std::string_view path) {
  return has_suffix(path, probe.own_suffixes)      ? "suffix"
         : has_suffix(path, probe.shared_suffixes) ? "signature"
                                                   : "content";
}

}  // namespace

bool Candidates::likely(const Item& item) {
  const auto& probes = model_probes();
  return std::any_of(probes.begin(), probes.end(),
                     [&](const ModelProbe* p) { return claim_of(*p, item.path, item.head) >= Claim::own_suffix; });
}

void Candidates::look(const Item& item, Bytes bytes, const std::vector<Range>& covered) {
  best_failure_ = {};
  best_probe_ = nullptr;
  std::vector<Range> taken = covered;
  std::uint64_t end = 0;
  const bool searched = item.kind.file_class == FileClass::unknown || item.kind.file_class == FileClass::code;
  if (item.kind.file_class != FileClass::code && whole(item, bytes, end)) {
    taken.push_back({0, static_cast<std::size_t>(end)});
    if (searched) carve(item, bytes, std::move(taken));
    return;
  }
  const std::size_t found = searched ? carve(item, bytes, std::move(taken)) : 0;
  if (found == 0 && covered.empty() && item.kind.file_class != FileClass::code) unsettled(item, bytes);
}

// Strong claims are heard first. The failure that is kept is that of the strongest claim.
bool Candidates::whole(const Item& item, Bytes bytes, std::uint64_t& end) {
  const Bytes head = bytes.first(std::min(bytes.size(), kHeadBytes));
  for (const Claim wanted : {Claim::signature, Claim::own_suffix, Claim::shared_suffix}) {
    for (const ModelProbe* probe : model_probes()) {
      if (claim_of(*probe, item.path, head) != wanted) continue;
      ProbeResult result = probe->validate({item.path, bytes, item.offset != 0, item.siblings});
      if (result.status == ModelStatus::ok) {
        // A file under the format's own name is the model to its last byte, appended metadata included; so is one that
        // only pads its end. Behind other models, as in bundles, more may follow.
        end = result.bytes;
        const bool own = has_suffix(item.path, probe->own_suffixes) && item.offset == 0;
        if (own || bytes.size() - end <= kPadding) result.bytes = bytes.size();
        const std::string path = item.offset == 0 ? item.path : item.path_at(0);
        add(path, *probe, result, item.offset == 0 ? found_by(*probe, item.path) : "carving",
            bytes.first(static_cast<std::size_t>(result.bytes)));
        return true;
      }
      // ONNX has no magic; bytes that merely begin like one are told by their name.
      const bool weak =
          probe->carve_magic.size() < 4 && wanted == Claim::signature && !has_suffix(item.path, probe->own_suffixes);
      if (best_probe_ == nullptr && wanted != Claim::shared_suffix && !weak) {
        best_probe_ = probe;
        best_failure_ = std::move(result);
      }
    }
  }
  return false;
}

std::size_t Candidates::carve(const Item& item, Bytes bytes, std::vector<Range> taken) {
  std::size_t found = 0;
  for (const ModelProbe* probe : model_probes()) {
    const std::string_view magic = probe->carve_magic;
    if (magic.empty()) continue;
    std::size_t tries = 0;
    for (std::size_t from = probe->carve_at; from < bytes.size() && tries < kMostTries;) {
      const void* hit = ::memmem(bytes.data() + from, bytes.size() - from, magic.data(), magic.size());
      if (hit == nullptr) break;
      const auto at = static_cast<std::size_t>(static_cast<const std::byte*>(hit) - bytes.data());
      const std::size_t begin = at - probe->carve_at;
      from = at + 1;
      const auto inside =
          std::find_if(taken.begin(), taken.end(), [&](Range r) { return begin >= r.begin && begin < r.end; });
      if (inside != taken.end()) {
        from = std::max(from, inside->end + probe->carve_at);
        continue;
      }
      const Bytes rest = bytes.subspan(begin);
      if (!probe->signature(rest.first(std::min(rest.size(), kHeadBytes)))) continue;
      const ProbeResult result = probe->validate({item.path, rest, true, nullptr});
      if (result.status != ModelStatus::ok || result.bytes < kLeastCarved) {
        ++tries;
        continue;
      }
      const auto size = static_cast<std::size_t>(result.bytes);
      add(item.path_at(begin), *probe, result, "carving", rest.first(size));
      taken.push_back({begin, begin + size});
      from = begin + size + probe->carve_at;
      ++found;
    }
  }
  return found;
}

// No model in it. Says why when its name or its first bytes promised one, or when it looks like a hidden one.
void Candidates::unsettled(const Item& item, Bytes bytes) {
  const bool promised = best_probe_ != nullptr;
  if (!promised && (item.kind.file_class != FileClass::unknown || !may_be_model(item.path))) return;
  const bool signed_ = promised && best_probe_->signature(bytes.first(std::min(bytes.size(), kHeadBytes)));
  FailureRecord failure{item.path, "model", {}, FailureKind::not_a_model};
  if (promised) {
    failure.kind = failure_of(best_failure_.status);
    failure.reason = fmt::format("{}: {}", best_probe_->format, best_failure_.reason);
  }
  if (!signed_) {
    const Randomness randomness = measure_randomness(bytes);
    const Texture texture = texture_of(randomness, bytes.size());
    if (texture == Texture::random) {
      failure.kind = FailureKind::encrypted;
      failure.reason = "no structure at all, as of an encrypted file: " + to_string(randomness);
    } else if (texture == Texture::dense) {
      failure.kind = FailureKind::compressed;
      failure.reason = "no known structure, dense as a compressed file: " + to_string(randomness);
    } else if (!promised) {
      return;  // one of the many files with a general name
    } else {
      failure.reason += "; " + to_string(randomness);
    }
  }
  failures_.push_back(std::move(failure));
}

void Candidates::add(const std::string& path, const ModelProbe& probe, const ProbeResult& result, const char* found_by,
                     Bytes bytes) {
  models_.push_back({path, std::string(probe.format), found_by, sha256(bytes), result});
  if (taken_) taken_(models_.back(), bytes);
}

}  // namespace thimble::gauge
