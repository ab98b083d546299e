// Target: zip, tar and gzip, and the walk through whatever is nested in them, under small limits.
#include "gauge/container/walk.h"
#include "gauge/testing/material.h"
#include "tests/fuzz/target.h"

namespace thimble::fuzz {

using namespace gauge::testing;

std::vector<std::string> seeds() {
  const std::string inner = make_zip({{.name = "leaf.txt", .data = "leaf"}});
  const std::string tar = make_tar({{"a/b.txt", "tar"}, {"c.zip", inner}});
  return {make_zip({{.name = "stored", .data = "plain", .method = 0},
                    {.name = "deflated", .data = std::string(500, 'a')},
                    {.name = "described", .data = "behind", .flags = 8},
                    {.name = "wide", .data = "64 bits", .zip64 = true},
                    {.name = "inner.zip", .data = inner, .method = 0}},
                   "comment"),
          tar, make_gzip(tar), std::string("\xff\xfe") + tar + "between" + inner + "behind",
          make_zip({{.name = "secret", .data = "sixteen bytes ..", .method = 0, .flags = 1}}, {}, "before")};
}

}  // namespace thimble::fuzz

namespace {

class Toucher final : public thimble::gauge::Visitor {
 public:
  bool meet(const thimble::gauge::Item& item) override {
    thimble::fuzz::touch(item.head);
    thimble::fuzz::require(thimble::gauge::unsafe_name(item.path).empty() || item.path.size() > 4096);
    return true;
  }
  void whole(const thimble::gauge::Item&, thimble::gauge::Bytes bytes,
             const std::vector<thimble::gauge::Range>& covered) override {
    thimble::fuzz::touch(bytes);
    for (const auto& range : covered) thimble::fuzz::require(range.begin <= range.end && range.end <= bytes.size());
  }
  void failure(const std::string&, thimble::gauge::FailureKind, const std::string& reason) override {
    thimble::fuzz::require(!reason.empty());
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  return fuzz::survives([&] {
    Toucher toucher;
    const gauge::Limits limits{
        .depth = 5, .entries = 1000, .memory = 16 << 20, .unpacked = 64 << 20, .ratio = 100, .ratio_from = 1 << 20};
    const auto totals =
        gauge::walk(fuzz::bytes_of(fuzz::text_of(data, size)), "input", limits, nullptr, toucher, CancelToken());
    fuzz::require(totals.entries <= limits.entries && totals.unpacked <= limits.unpacked);
  });
}
