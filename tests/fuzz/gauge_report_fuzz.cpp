// Target: texts from packages on their way into a report, and results of benchmarks that a report reads. What comes out
// is valid UTF-8 without anything that a browser would take for markup.
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "gauge/report/report.h"
#include "gauge/report/svg.h"
#include "gauge/report/tables.h"
#include "tests/fuzz/target.h"

namespace thimble::fuzz {

std::vector<std::string> seeds() {
  return {"assets/<b>face</b>.tflite",
          "\xe2\x80\xae"
          "exe.apk\xc3\xa9 =1+1,\"x\"\n",
          R"({"model": "a.onnx", "model_sha256": "00", "device": "local", "backend": {"name": "thimble"}, "threads": 2,
              "latency_ms": {"median": 4.5, "p90": 5, "p99": 6, "iqr": 1, "min": 4}, "peak_bytes": 10, "flops": 1e9,
              "energy": {"reason": "none"}, "compared_with": {"backend": "tflite", "max_relative_error": 1e-6}})"};
}

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  static const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("fuzz_gauge_report_" + std::to_string(::getpid()) + ".json");
  return fuzz::survives([&] {
    const std::string_view input = fuzz::text_of(data, size);
    const std::string clean = gauge::clean_text(input), markup = gauge::report::escaped(clean);
    fuzz::require(markup.find_first_of("<>\"'\n\r") == std::string::npos);
    static_cast<void>(Json(clean).dump());  // throws on what is not UTF-8
    write_file(file, input);
    gauge::Report report;
    gauge::report::Facts facts;
    gauge::report::read_benchmarks(facts, report, {file});
    std::filesystem::remove(file);
    gauge::report::add_bench_tables(report, facts);
    report.tables.insert(report.tables.begin(), {.id = "summary", .title = clean});
    const std::string page = gauge::to_html(report);
    fuzz::require(page.find("<script>") == page.rfind("<script>"));
    static_cast<void>(gauge::to_json(report).dump());
  });
}
