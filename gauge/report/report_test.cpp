// Tests of reports: numbers with their sources, reasons where there are none, hostile names in every output, and what
// changed between two scans.
#include "gauge/report/report.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "gauge/report/svg.h"
#include "gauge/store/store.h"

namespace thimble::gauge {
namespace {

namespace fs = std::filesystem;

// What a package's author may call things.
const std::string kHostile =
    "<script>alert('x')</script>\" onload=\"y\" =1+1 \xe2\x80\xae"
    "exe.\x01\xff&amp;";

class ReportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "gauge_report_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  void TearDown() override { fs::remove_all(folder_); }

  static ModelRecord model(const std::string& path, char hash, std::uint64_t bytes = 1000) {
    return {path,
            "tflite",
            "suffix",
            std::string(64, hash),
            {.status = ModelStatus::ok,
             .reason = "",
             .bytes = bytes,
             .version = 3,
             .operators = 5,
             .tensors = 9,
             .parameters = 77}};
  }
  static PackageRecord package(const std::string& name, const std::string& app, const std::string& version) {
    PackageRecord r;
    r.path = "/apps/" + name;
    r.name = name;
    r.sha256 = std::string(60, 'f') + version;
    r.kind = "apk";
    r.size = 5000;
    r.has_manifest = true;
    r.manifest.package = app;
    r.manifest.version_code = version;
    r.manifest.version_name = version + ".0";
    r.seconds = 0.25;
    return r;
  }

  // Three apps: one with models and evidence, one with a copy, one that is broken and hostile.
  fs::path scan_now() const {
    const fs::path path = folder_ / "now.db";
    Store store(path);
    PackageRecord a = package("a.apk", "org.a", "2");
    a.models = {model("assets/face.tflite", 'a'), model("assets/tuned.tflite", 'b', 2000)};
    a.findings = {{Subject::framework, "TensorFlow Lite", Level::shipped, Place::file, "lib/libtensorflowlite_jni.so",
                   "libtensorflowlite_jni.so", 1},
                  {Subject::delegate, "QNN", Level::named, Place::native, "lib/libx.so", "QNN", 3}};
    store.put(a);
    PackageRecord b = package("b.apk", "org.b", "1");
    b.models = {model("assets/copy.tflite", 'a'), model("assets/moved/other.tflite", 'c')};
    store.put(b);
    PackageRecord c = package(kHostile, kHostile, "9");
    c.failures = {{"assets/" + kHostile, "container", kHostile, FailureKind::unsafe_name}};
    c.findings = {{Subject::cloud, kHostile, Level::called, Place::text, kHostile, "=cmd|' /C calc'!A0", 1}};
    c.models = {model(kHostile, 'd')};
    store.put(c);
    return path;
  }
  fs::path scan_before() const {
    const fs::path path = folder_ / "before.db";
    Store store(path);
    PackageRecord a = package("a-old.apk", "org.a", "1");
    a.models = {model("assets/face.tflite", 'e'), model("assets/gone.tflite", 'g')};
    store.put(a);
    PackageRecord b = package("b.apk", "org.b", "1");
    b.models = {model("assets/copy.tflite", 'a'), model("assets/other.tflite", 'c')};
    store.put(b);
    store.put(package("gone.apk", "org.gone", "3"));
    return path;
  }

  fs::path folder_;
};

const Row& row_with(const Table& t, std::string_view column, const std::string& value) {
  for (const Row& row : t.rows) {
    if (display(row.cells[t.column(column)]) == value) return row;
  }
  ADD_FAILURE() << "table " << t.id << " has no row with " << value;
  static const Row kNone{std::vector<Cell>(40)};
  return kNone;
}
Cell cell(const Report& r, const char* table, const char* key, const std::string& value, const char* column) {
  const Table& t = *r.find(table);
  return row_with(t, key, value).cells[t.column(column)];
}

Json analysis() {
  return Json::parse(R"({"models": [
    {"path": "a.apk!/assets/face.tflite", "sha256": ")" +
                     std::string(64, 'a') + R"(", "parameters": 90,
     "cost": {"macs": 1000, "flops": 2500.5}, "layers_without_count": 2,
     "modality": {"what": "image", "confidence": 0.9, "evidence": ["4 axes"]},
     "task": {"what": "face detection", "confidence": 0.8, "evidence": ["name", "two outputs"]},
     "quantisation": {"kind": "f16 weights"}, "sparsity": {"near_zero": 5, "weights": 50, "sparse_stored": 0, "sparse_elements": 0},
     "clustering": {"tensors": 0, "of": 3}, "imported": true, "import_stopped": "",
     "inputs": [{"name": "x", "type": "f32", "shape": [1, -1, 3]}], "outputs": []},
    {"path": "a.apk!/assets/tuned.tflite", "sha256": ")" +
                     std::string(64, 'b') + R"(", "imported": false, "import_stopped": "ROPE"}],
    "sharing": [{"a": "a.apk!/assets/face.tflite", "b": "a.apk!/assets/tuned.tflite", "tensors": 4, "bytes": 400, "share": 0.75,
                 "layers_apart": 1, "verdict": "fine-tuned"}]})");
}

TEST_F(ReportTest, CountsAndSaysFromWhere) {
  ReportInputs inputs{.database = scan_now(), .tool = "thimble 9"};
  inputs.analysis = analysis();
  inputs.analysis_source = "analysis.json";
  const Report r = make_report(inputs);
  const auto value = [&](const char* name) { return as_number(cell(r, "summary", "quantity", name, "value")); };
  EXPECT_EQ(value("packages"), 3);
  EXPECT_EQ(value("models"), 5);
  EXPECT_EQ(value("different models"), 4);
  EXPECT_EQ(value("models that other packages have too"), 2);
  EXPECT_EQ(*as_number(cell(r, "summary", "quantity", "different models", "share")), 80);
  // Level 0 is no framework of the package.
  EXPECT_EQ(display(cell(r, "packages", "app", "org.a", "frameworks")), "TensorFlow Lite");
  EXPECT_EQ(cell(r, "packages", "app", "org.a", "delegates").why, "no finding");
  EXPECT_EQ(as_number(cell(r, "frameworks", "name", "QNN", "packages")), 0);
  EXPECT_EQ(as_number(cell(r, "frameworks", "name", "QNN", "level0")), 1);

  const Cell flops = cell(r, "models", "name", "face.tflite", "flops");
  EXPECT_DOUBLE_EQ(*as_number(flops), 2500.5);
  EXPECT_EQ(flops.from, "analysis.json; a lower bound, 2 layers have no count");
  EXPECT_EQ(*as_number(cell(r, "models", "name", "face.tflite", "near_zero")), 10);
  EXPECT_EQ(cell(r, "models", "name", "face.tflite", "density").why, "no tensor in a sparse format");
  EXPECT_EQ(display(cell(r, "models", "name", "face.tflite", "inputs")), "x 1x?x3 f32");
  EXPECT_EQ(as_number(cell(r, "models", "name", "face.tflite", "parameters")), 90);
  EXPECT_EQ(as_number(cell(r, "models", "name", "other.tflite", "parameters")),
            77);  // the probe's: it was not analysed
  EXPECT_EQ(cell(r, "models", "name", "other.tflite", "flops").why,
            "analysis.json has no model with this SHA-256 (format tflite)");
  EXPECT_EQ(display(cell(r, "models", "name", "tuned.tflite", "imported")), "no: ROPE");
  EXPECT_EQ(as_number(cell(r, "tasks", "name", "face detection", "places")), 2);
  EXPECT_EQ(display(cell(r, "sharing", "verdict", "fine-tuned", "a")), "face.tflite");
  EXPECT_EQ(*as_number(cell(r, "sharing", "verdict", "fine-tuned", "share")), 75);
  EXPECT_EQ(as_number(cell(r, "duplicates", "name", "face.tflite", "wasted")), 1000);

  // No number without a source, no gap without a reason.
  for (const Table& t : r.tables) {
    for (const Column& c : t.columns) EXPECT_FALSE(c.method.empty()) << t.id << "." << c.id;
    for (const Row& row : t.rows) {
      EXPECT_FALSE(row.source.empty()) << t.id;
      for (const Cell& c : row.cells) EXPECT_EQ(c.missing(), !c.why.empty()) << t.id << ": " << display(c);
    }
  }
}

TEST_F(ReportTest, ReadsBenchmarksAndSaysWhatTheyLack) {
  const fs::path bench = folder_ / "bench";
  fs::create_directories(bench);
  const std::string hash(64, 'a');
  write_file(bench / "1.json",
             R"({"model": "x/face.tflite", "model_sha256": ")" + hash +
                 R"(", "device": "local", "backend": "thimble", "threads": 2, "batch": 1, "latency_ms": {"median": 4,
      "p90": 5.5, "p99": 6, "iqr": 0.5, "min": 3.9}, "peak_bytes": 1234567, "energy": {"reason": "no source here"}, "flops": 8000000,
      "compared_with": {"backend": "tflite", "max_relative_error": 1e-6}})");
  write_file(bench / "2.json",
             R"({"model": "x/face.tflite", "model_sha256": ")" + hash +
                 R"(", "device": "local", "backend": "tflite", "threads": 2, "latency_ms": {"median": 3.5}})");
  write_file(
      bench / "3.json",
      R"({"model": "other.onnx", "device": "emulator", "backend": "thimble", "latency_ms": null, "no_latency": "an emulator tells no latency", "instructions": 12345678901})");
  write_file(bench / "4.json", "{\"model\": ");
  write_file(bench / "5.json",
             R"({"model": "bad.onnx", "device": "local", "backend": "thimble", "refused": "outputs differ by 0.3",
      "latency_ms": {"median": 1}})");
  const Report r = make_report({.database = scan_now(), .benchmarks = benchmark_files(bench), .tool = "thimble 9"});
  EXPECT_EQ(r.find("benchmarks")->rows.size(), 4u);
  EXPECT_DOUBLE_EQ(*as_number(cell(r, "benchmarks", "backend", "thimble", "rate")), 2);  // 8 MFLOP in 4 ms
  EXPECT_EQ(cell(r, "benchmarks", "backend", "thimble", "joules").why, "no source here");
  EXPECT_EQ(cell(r, "benchmarks", "backend", "tflite", "p90").why, "2.json has no number latency_ms.p90");
  EXPECT_EQ(cell(r, "benchmarks", "model", "other.onnx", "median").why, "an emulator tells no latency");
  EXPECT_EQ(as_number(cell(r, "benchmarks", "model", "other.onnx", "instructions")), 12345678901);
  EXPECT_EQ(cell(r, "benchmarks", "model", "bad.onnx", "median").why, "outputs differ by 0.3");
  EXPECT_EQ(*as_number(cell(r, "models", "name", "face.tflite", "latency")), 3.5);
  EXPECT_EQ(cell(r, "models", "name", "face.tflite", "latency").from, "2.json (local, tflite, 2 thr.)");
  EXPECT_EQ(*as_number(cell(r, "devices", "model", "face.tflite", "local, thimble, 2 thr.")), 4);
  EXPECT_EQ(cell(r, "devices", "model", "other.onnx", "local, tflite, 2 thr.").why, "not benchmarked so");
  EXPECT_NE(r.sources.at(4).remark.find("4.json"), std::string::npos);  // broken, and said so
  bool drawn = false;
  for (const Figure& f : r.figures) {
    if (f.id == "flops_latency")
      drawn = f.svg.find("face.tflite: 8e+06 FLOPs, 4 ms (local, thimble, 2 thr.; 1.json)") != std::string::npos;
  }
  EXPECT_TRUE(drawn);
}

TEST_F(ReportTest, TellsWhatChanged) {
  const Report r = make_report({.database = scan_now(), .former = scan_before(), .tool = "thimble 9"});
  std::multiset<std::string> lines;
  const Table& t = *r.find("changes");
  for (const Row& row : t.rows) {
    if (display(row.cells[1]).find("script") != std::string::npos) continue;
    lines.insert(display(row.cells[0]) + " " + display(row.cells[1]) + " " + display(row.cells[2]));
  }
  EXPECT_EQ(lines, (std::multiset<std::string>{
                       "app changed org.a ", "app went org.gone ", "model changed org.a assets/face.tflite",
                       "model came org.a assets/tuned.tflite", "model went org.a assets/gone.tflite",
                       "model moved org.b assets/moved/other.tflite"}));
  EXPECT_EQ(as_number(cell(r, "snapshots", "quantity", "models", "former")), 4);
  EXPECT_EQ(as_number(cell(r, "snapshots", "quantity", "models", "now")), 5);
  EXPECT_DOUBLE_EQ(*as_number(cell(r, "snapshots", "quantity", "models", "ratio")), 1.25);
  EXPECT_EQ(as_number(cell(r, "snapshots", "quantity", "model stayed", "now")), 1);
  EXPECT_EQ(display(cell(r, "changes", "change", "app changed", "version_former")), "1.0 (1)");
}

TEST_F(ReportTest, HostileNamesStayText) {
  const Report r = make_report({.database = scan_now(), .former = scan_before(), .tool = "thimble 9"});
  const std::string html = to_html(r);
  EXPECT_EQ(html.find("<script>alert"), std::string::npos);
  EXPECT_EQ(html.find("onload=\"y\""), std::string::npos);
  EXPECT_EQ(html.find("\xe2\x80\xae"), std::string::npos);  // turns the direction of writing
  EXPECT_EQ(html.find('\x01'), std::string::npos);
  EXPECT_EQ(html.find('\xff'), std::string::npos);
  EXPECT_NE(html.find("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot; onload=&quot;y&quot; =1+1 "
                      "\\u{202e}exe.\\u{1}\xef\xbf\xbd&amp;amp;"),
            std::string::npos);
  // One script, the page's own, and nothing from elsewhere.
  EXPECT_EQ(html.find("<script>"), html.rfind("<script>"));
  for (const char* loader : {"src=", "<link", "<iframe", "@import", "url("})
    EXPECT_EQ(html.find(loader), std::string::npos) << loader;
  EXPECT_NE(html.find("default-src 'none'; script-src 'sha256-"), std::string::npos);

  const OrderedJson json = to_json(r);
  EXPECT_NO_THROW(static_cast<void>(json.dump()));  // valid UTF-8 throughout
  EXPECT_EQ(json["tables"]["summary"]["rows"][0]["values"]["value"], 3);
  EXPECT_EQ(json["tables"]["models"]["rows"][0]["not_available"]["flops"], "no analysis was given");

  write_csv(r, folder_ / "csv");
  const std::string evidence = read_file(folder_ / "csv/evidence.csv");
  EXPECT_NE(evidence.find("\"'=cmd|' /C calc'!A0\""), std::string::npos);  // no formula
  const std::string failures = read_file(folder_ / "csv/failures.csv");
  EXPECT_NE(failures.find("\"assets/<script>alert('x')</script>\"\" onload=\"\"y\"\" =1+1 "), std::string::npos);
  EXPECT_EQ(std::count(failures.begin(), failures.end(), '\n'), 2);  // names bring no lines of their own
  EXPECT_TRUE(fs::exists(folder_ / "csv/columns.csv"));
}

TEST_F(ReportTest, RefusesWhatIsNoScan) {
  EXPECT_THROW(make_report({.database = folder_ / "none.db"}), Error);
  EXPECT_FALSE(fs::exists(folder_ / "none.db"));
  write_file(folder_ / "text.db", "not a database, but long enough to be looked at");
  EXPECT_THROW(make_report({.database = folder_ / "text.db"}), Error);
  EXPECT_THROW(make_report({.database = scan_now(), .former = folder_ / "none.db"}), Error);
  EXPECT_THROW(benchmark_files(folder_ / "none"), Error);
}

TEST(ReportText, IsBoundedAndClean) {
  EXPECT_EQ(clean_text("plain\nline\ttab"), "plain\\u{a}line\\u{9}tab");
  EXPECT_EQ(clean_text("\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x98\x80"), "\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x98\x80");
  EXPECT_EQ(clean_text("\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80").substr(0, 6),
            "\xef\xbf\xbd\xef\xbf\xbd");  // overlong, surrogate, too large
  EXPECT_EQ(clean_text("\xe4\xbd"), "\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(clean_text("\xe4\xbd\xa0\xe5\xa5\xbd!", 2), "\xe4\xbd\xa0\xe5\xa5\xbd\xe2\x80\xa6");
  EXPECT_EQ(clean_text(std::string(100'000, 'x')).size(), 303u);
  EXPECT_EQ(display(number(std::int64_t{-1234567})), "-1,234,567");
  EXPECT_EQ(display(number(std::int64_t{-123})), "-123");
  EXPECT_TRUE(number(std::nan("")).missing());
  EXPECT_EQ(report::escaped("<a href='&\">"), "&lt;a href=&#39;&amp;&quot;&gt;");
}

TEST(ReportFigures, PlaceWhatTheyDraw) {
  const std::string svg = report::scatter("x", "y", {"one"}, {{10, 1, 0, "left"}, {1000, 100, 0, "right"}});
  // Three decades over 770 pixels from 70 on: 10 stands at the left end, 1000 at the right.
  EXPECT_NE(svg.find("cx=\"70.0\""), std::string::npos);
  EXPECT_NE(svg.find("cx=\"840.0\""), std::string::npos);
  EXPECT_EQ(report::scatter("x", "y", {}, {}), "");
  const std::string bars = report::bars({"n"}, {{"a", {4}, {"a: 4"}}, {"b", {2}, {"b: 2"}}}, "", false, false);
  EXPECT_NE(bars.find("width=\"520.0\""), std::string::npos);
  EXPECT_NE(bars.find("width=\"260.0\""), std::string::npos);
}

}  // namespace
}  // namespace thimble::gauge
