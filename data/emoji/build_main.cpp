#include <fmt/format.h>
#include "base/error.h"
#include "data/emoji/build.h"
int main(int, char** argv) {
  thimble::install_interrupt_handler();
  try {
    auto s = thimble::data::build_emoji({.out_dir = argv[1], .cache_dir = argv[2]}, [](auto d, auto t, const std::string& n) { if (d % 500 == 0) fmt::print("{}/{} {}\n", d, t, n), fflush(stdout); }, thimble::interrupt_token());
    fmt::print("{} pictures, {} bytes, psnr {:.2f} worst {:.2f}\n", s.pictures, s.pack_bytes, s.psnr_mean, s.psnr_worst);
    for (auto& r : s.not_drawn) fmt::print("{}\n", r);
    fmt::print("{}\n", s.report.dump(1));
  } catch (const thimble::Error& e) { fmt::print(stderr, "error: {}\n", e.what()); return 2; }
}
