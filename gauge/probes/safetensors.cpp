// Probe: safetensors, through the reader of formats/safetensors, which checks every tensor's place. A bag of tensors
// has no graph, so `operators` stays 0.
#include "formats/safetensors/safetensors.h"

#include "gauge/probes/all.h"

namespace thimble::gauge {
namespace {

// A length of at most 100 MB, then a JSON object.
bool signature(Bytes head) {
  if (head.size() < 10) return false;
  const auto length = load<std::uint64_t>(head, 0);
  if (length < 2 || length > formats::kMaxSafetensorsHeader) return false;
  return starts_with(head, "{\"", 8) || starts_with(head, "{}", 8);
}

ProbeResult validate(const ProbeInput& input) {
  if (!signature(input.bytes)) return {.reason = "there is no length and header of safetensors"};
  const auto header = load<std::uint64_t>(input.bytes, 0);
  if (header > input.bytes.size() - 8) {
    return {.status = ModelStatus::truncated, .reason = fmt::format("its header has {} bytes", header)};
  }
  return checked(
      [](const ProbeInput& in) {
        const auto file = formats::SafetensorsFile::parse(in.bytes, "safetensors");
        ProbeResult result;
        for (const auto& [name, tensor] : file.tensors())
          result.parameters += static_cast<std::uint64_t>(tensor.elements());
        result.tensors = file.tensors().size();
        result.bytes = in.bytes.size();
        result.status = result.tensors == 0 ? ModelStatus::not_a_model : ModelStatus::ok;
        if (result.tensors == 0) result.reason = "it has no tensors";
        return result;
      },
      input);
}

}  // namespace

const ModelProbe kSafetensorsProbe{.format = "safetensors",
                                   .own_suffixes = ".safetensors",
                                   .shared_suffixes = "",
                                   .signature = signature,
                                   .validate = validate};

}  // namespace thimble::gauge
