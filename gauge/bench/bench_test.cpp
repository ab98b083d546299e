// Statistics, energy sources on folders like sysfs, recordings, comparison of results, models sent to devices: through
// programs that stand for adb and ssh and run the real agent here.
#include "gauge/bench/bench.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "gauge/agent/packed_model.h"
#include "gauge/bench/transport.h"
#include "gauge/testing/tiny_models.h"
#include "graph/builder.h"

namespace thimble::gauge {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "thimble-bench-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path operator/(const std::string& name) const { return path_ / name; }
  std::string root() const { return path_.string() + "/"; }
  void put(const std::string& name, const std::string& text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
  }
  void program(const std::string& name, const std::string& text) const {
    put(name, "#!/bin/sh\n" + text);
    fs::permissions(path_ / name, fs::perms::owner_all);
  }

 private:
  fs::path path_;
};

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(BenchStatistics, OfKnownNumbers) {
  std::vector<double> times;
  for (int i = 100; i >= 1; --i) times.push_back(i);
  const Distribution d = distribution(times);
  EXPECT_EQ(d.count, 100u);
  EXPECT_DOUBLE_EQ(d.median, 50.5);
  EXPECT_DOUBLE_EQ(d.p90, 90.1);
  EXPECT_DOUBLE_EQ(d.p99, 99.01);
  EXPECT_DOUBLE_EQ(d.iqr, 49.5);
  EXPECT_DOUBLE_EQ(d.min, 1);
  EXPECT_DOUBLE_EQ(d.max, 100);
  EXPECT_NEAR(d.mean, 50.5, 1e-12);
  EXPECT_NEAR(d.cv, std::sqrt((100.0 * 100 - 1) / 12) / 50.5, 1e-12);
  EXPECT_EQ(distribution({}).count, 0u);
  EXPECT_DOUBLE_EQ(distribution({7}).p99, 7);
}

TEST(BenchStatistics, RepetitionEndsByRunsOrByTime) {
  int ran = 0;
  Timing t;
  repeat(
      t, {.warmup = 2, .runs = 4}, [&] { ++ran; }, nullptr);
  EXPECT_EQ(ran, 6);
  EXPECT_EQ(t.ms.size(), 4u);
  Timing slow;  // five are made however long they take
  repeat(
      slow, {.warmup = 0, .runs = 100, .seconds = 0}, [] {}, nullptr);
  EXPECT_EQ(slow.ms.size(), 5u);
  CancelToken cancel;
  cancel.cancel();
  EXPECT_THROW(repeat(
                   t, {}, [] {}, &cancel),
               Error);
}

TEST(BenchStatistics, Affinity) {
  for (const char* bad : {"", "x", "1-", "3-1", "0,", "0,,1", "99999999", "-1"}) {
    EXPECT_NE(error_of([&] { set_affinity(bad); }), "") << bad;
  }
  EXPECT_NE(error_of([] { set_affinity("1000"); }).find("has only processors"), std::string::npos);
}

TEST(BenchEnergy, RaplSumsPackagesAndWraps) {
  const Folder f;
  for (const char* package : {"0", "1"}) {
    const std::string at = std::string("sys/class/powercap/intel-rapl:") + package;
    f.put(at + "/name", std::string("package-") + package + "\n");
    f.put(at + "/energy_uj", "1000000\n");
    f.put(at + "/max_energy_range_uj", "5000000\n");
  }
  f.put("sys/class/powercap/intel-rapl:0:0/name", "core\n");  // a part of package 0: not counted again
  f.put("sys/class/powercap/intel-rapl:0:0/energy_uj", "1\n");
  f.put("sys/class/powercap/intel-rapl:0:0/max_energy_range_uj", "5000000\n");
  const EnergyChoice c = open_energy(f.root());
  ASSERT_TRUE(c.source) << c.reason;
  EXPECT_EQ(c.source->name(), "rapl package-0 package-1");
  f.put("sys/class/powercap/intel-rapl:0/energy_uj", "4000000\n");
  c.source->poll(1);
  EXPECT_NEAR(c.source->joules(), 3, 1e-9);
  f.put("sys/class/powercap/intel-rapl:0/energy_uj", "500000\n");  // over the top: 1.5 J
  f.put("sys/class/powercap/intel-rapl:1/energy_uj", "1250000\n");
  c.source->poll(2);
  EXPECT_NEAR(c.source->joules(), 3 + 1.5 + 0.25, 1e-9);
}

TEST(BenchEnergy, SourcesSayWhyTheyCannotBeUsed) {
  const Folder f;
  EXPECT_EQ(open_energy(f.root()).reason, "RAPL: no powercap folder in sysfs; battery: none in sysfs");
  f.put("sys/class/powercap/intel-rapl:0/name", "package-0\n");
  f.put("sys/class/powercap/intel-rapl:0/energy_uj", "");  // as for other users than root
  EXPECT_NE(open_rapl(f.root()).reason.find("only root may"), std::string::npos);
  f.put("sys/class/power_supply/BAT0/type", "Battery\n");
  f.put("sys/class/power_supply/BAT0/status", "Charging\n");
  EXPECT_NE(open_battery(f.root()).reason.find("'Charging'"), std::string::npos);
  f.put("sys/class/power_supply/BAT0/status", "Discharging\n");
  EXPECT_NE(open_battery(f.root()).reason.find("neither power_now"), std::string::npos);
}

TEST(BenchEnergy, BatteriesOfAllUnitsAndSigns) {
  for (const char* current : {"-500000", "500000", "-500", "500"}) {  // half an ampere
    for (const char* voltage : {"4000000", "4000"}) {                 // four volts
      const Folder f;
      f.put("sys/class/power_supply/bat/type", "Battery\n");
      f.put("sys/class/power_supply/bat/status", "Discharging\n");
      f.put("sys/class/power_supply/bat/current_now", current);
      f.put("sys/class/power_supply/bat/voltage_now", voltage);
      const EnergyChoice c = open_energy(f.root());
      ASSERT_TRUE(c.source) << c.reason;
      c.source->poll(10);
      c.source->poll(13);
      EXPECT_NEAR(c.source->joules(), 6, 1e-9) << current << " " << voltage;
    }
  }
  const Folder f;
  f.put("sys/class/power_supply/bat/type", "Battery\n");
  f.put("sys/class/power_supply/bat/status", "Discharging\n");
  f.put("sys/class/power_supply/bat/power_now", "-3000000\n");
  const EnergyChoice c = open_battery(f.root());
  ASSERT_TRUE(c.source);
  c.source->poll(0);
  f.put("sys/class/power_supply/bat/power_now", "5000000\n");
  c.source->poll(2);  // the trapezoid between 3 and 5 W
  EXPECT_NEAR(c.source->joules(), 8, 1e-9);
}

TEST(BenchEnergy, MonsoonRecordings) {
  const auto r = MonsoonRecording::parse(
      "Time(ms),USB(mA),Main(mA),Main Voltage(V)\n0,9,1000,4\n50,9,1000,4\n100,9,500,4\n500,9,500,4\n", "a.csv");
  EXPECT_NEAR(r.joules(0, 0.05), 0.2, 1e-9);
  EXPECT_NEAR(r.joules(0, 1), 0.2 + 0.15, 1e-9);  // and nothing for the gap of 0.4 s
  EXPECT_NEAR(r.joules(0.025, 0.05), 0.1, 1e-9);
  EXPECT_NE(error_of([] { MonsoonRecording::parse("a,b\n1,2\n", "x"); }).find("names no time"), std::string::npos);
  EXPECT_NE(error_of([] { MonsoonRecording::parse("time,current,voltage\n0,1,2\n1,x,2\n", "x"); }).find("line 3"),
            std::string::npos);
  EXPECT_NE(error_of([] { MonsoonRecording::parse("time,current,voltage\n1,1,2\n0,1,2\n", "x"); }).find("goes back"),
            std::string::npos);
  const MonsoonCalibration fine{100, 1100, 50}, coarse{10, 110, 5000};
  EXPECT_DOUBLE_EQ(monsoon_milliamperes(600, 0, fine, coarse), 25);
  EXPECT_DOUBLE_EQ(monsoon_milliamperes(64000, 60, fine, coarse), 2500);
}

TEST(BenchEnergy, IdlePowerIsTakenOff) {
  const EnergyPerRun e = energy_per_run("x", 30, 10, 4, 2, 5);
  EXPECT_DOUBLE_EQ(e.idle_watts, 2);
  EXPECT_DOUBLE_EQ(e.joules, 2);
  EXPECT_DOUBLE_EQ(e.with_idle, 6);
  EXPECT_FALSE(energy_per_run("x", 0, 10, 0, 0, 5).known());
  BenchResult r;
  r.energy = e;
  const OrderedJson s = scenarios_json(r, 2);
  EXPECT_DOUBLE_EQ(s[0]["joules"].get<double>(), 3600);
  EXPECT_DOUBLE_EQ(s[1]["joules"].get<double>(), 2 * 54000);
  EXPECT_DOUBLE_EQ(s[2]["joules"].get<double>(), 2 * 275);
  EXPECT_NEAR(s[1]["share_of_4000_mah"].get<double>(), 108000 / 55440.0, 1e-12);
}

TEST(BenchResults, DifferenceAndVerdict) {
  using graph::Tensor;
  std::vector<float> a(2000, 1), b(2000, 1);
  a[0] = 2;
  b[0] = 2.01f;
  Difference d = difference({Tensor::of({2000}, a)}, {Tensor::of({2000}, b)}, 1e-3);
  EXPECT_NEAR(d.relative, 0.01 / 2.01, 1e-6);
  EXPECT_DOUBLE_EQ(d.apart_share, 1.0 / 2000);
  EXPECT_EQ(wrong(d, 1e-3, "x"), "");  // one in two thousand, under ten times
  EXPECT_NE(wrong(d, 1e-4, "x"), "");  // more than ten times
  b[1] = b[2] = 1.01f;
  d = difference({Tensor::of({2000}, a)}, {Tensor::of({2000}, b)}, 1e-3);
  EXPECT_NE(wrong(d, 1e-3, "x"), "");  // three in two thousand
  b[0] = std::nanf("");
  d = difference({Tensor::of({2000}, a)}, {Tensor::of({2000}, b)}, 1e-3);
  EXPECT_TRUE(std::isinf(d.relative));
  EXPECT_THROW(difference({Tensor::of({2}, std::vector<float>{1, 2})}, {}, 1), Error);
  // Tiny outputs are judged by their absolute error.
  d = difference({Tensor::of({1}, std::vector<float>{1e-7f})}, {Tensor::of({1}, std::vector<float>{2e-7f})}, 1e-3);
  EXPECT_LT(d.relative, 2e-4);
}

// y = relu(x w + b) as TFLite, x f32[1,4].
std::string tiny_tflite() {
  using namespace testing;
  TinyGraph g;
  g.tensors = {{{1, 4}},
               {{3, 4}, 0, floats({1, -2, 3, -4, 0.5f, 0.25f, -1, 2, 1, 1, 1, 1})},
               {{3}, 0, floats({0.5f, -0.5f, 0})},
               {{1, 3}}};
  g.ops = {{9, {0, 1, 2}, {3}, {option_byte(4, 1)}}};  // FULLY_CONNECTED with RELU
  g.inputs = {0};
  g.outputs = {3};
  return make_tflite({g});
}

TEST(BenchLocal, MeasuresAndDescribes) {
  const Folder f;
  f.put("m.tflite", tiny_tflite());
  BenchOptions o;
  o.threads = {1, 2};
  o.how = {.warmup = 1, .runs = 7};
  o.root = f.root();
  const auto results = bench(f / "m.tflite", o, {}, nullptr);
  ASSERT_EQ(results.size(), 2u);
  for (const BenchResult& r : results) {
    EXPECT_EQ(r.refused, "");
    ASSERT_TRUE(r.latency);
    EXPECT_GE(r.latency->count, 7u);
    EXPECT_GT(r.latency->min, 0);
    EXPECT_DOUBLE_EQ(r.flops, 2 * 12 + 3 + 3);
    EXPECT_EQ(r.batch, 1);
    const OrderedJson j = to_json(r, 1);
    EXPECT_EQ(j["energy"]["source"], nullptr);
    EXPECT_NE(j["energy"]["reason"].get<std::string>().find("RAPL"), std::string::npos);
    EXPECT_EQ(j["compared_with"], nullptr);
    EXPECT_EQ(j["model_sha256"].get<std::string>().size(), 64u);
  }
}

TEST(BenchLocal, RefusesInOneLine) {
  const Folder f;
  f.put("m.tflite", tiny_tflite());
  BenchOptions o;
  const auto said = [&] { return error_of([&] { bench(f / "m.tflite", o, {}, nullptr); }); };
  o.backends = {"magic"};
  EXPECT_NE(said().find("thimble, tflite, onnxruntime and ncnn"), std::string::npos);
  o.backends = {"onnxruntime"};
  o.libraries["onnxruntime"] = (f / "no.so").string();
  EXPECT_NE(said().find("no.so"), std::string::npos);
  f.put("text.so", "not a library");
  o.libraries["onnxruntime"] = (f / "text.so").string();
  EXPECT_NE(said().find("text.so"), std::string::npos);
  o = {};
  o.device = "toaster";
  o.agent = THIMBLE_GAUGE_AGENT;
  EXPECT_NE(said().find("adb:SERIAL, ssh:HOST"), std::string::npos);
  o.device = "emulator:z80";
  EXPECT_NE(said().find("emulator:aarch64"), std::string::npos);
  o.device = "adb:1";
  o.agent = (f / "absent").string();
  EXPECT_NE(said().find("no such file"), std::string::npos);
  o = {};
  o.affinity = "zero";
  EXPECT_NE(said().find("list of processors"), std::string::npos);
}

// PATH with a folder before it, while it lives.
class Path {
 public:
  explicit Path(const fs::path& first) : before_(std::getenv("PATH")) {
    setenv("PATH", (first.string() + ":" + before_).c_str(), 1);
  }
  ~Path() { setenv("PATH", before_.c_str(), 1); }

 private:
  std::string before_;
};

// An adb whose device is a folder of this machine; the log keeps what it was asked.
void put_adb(const Folder& f, const std::string& shell) {
  fs::create_directories(f / "device");
  f.program("bin/adb", "root=" + (f / "device").string() + "\nlog=" + (f / "log").string() + R"sh(
[ "$1" = -s ] || { echo "error: no serial" >&2; exit 1; }
[ "$2" = 0123 ] || { echo "adb: device '$2' not found" >&2; exit 1; }
shift 2
echo "$1" >> "$log"
case "$1" in
push) cp "$2" "$root/$(echo "$3" | tr / _)" ;;
pull) cp "$root/$(echo "$2" | tr / _)" "$3" ;;
shell) )sh" + shell + R"sh( ;;
esac
)sh");
}

// Names on the device are flat in the folder: /data/local/tmp/thimble-7/model becomes _data_local_tmp_thimble-7_model.
constexpr const char* kRunShell =
    R"sh(sh -c "$(echo "$2" | sed "s#/data/local/tmp/thimble-\([0-9]*\)/#$root/_data_local_tmp_thimble-\1_#g; s#/data/local/tmp#$root#g")")sh";

TEST(BenchDevice, AdbRunsTheAgentAndTheResultIsCompared) {
  const Folder f;
  put_adb(f, kRunShell);
  f.put("m.tflite", tiny_tflite());
  const Path path(f / "bin");
  BenchOptions o;
  o.device = "adb:0123";
  o.agent = THIMBLE_GAUGE_AGENT;
  o.threads = {1, 2};
  o.how = {.warmup = 1, .runs = 6};
  o.idle_seconds = 0;
  const auto results = bench(f / "m.tflite", o, {}, nullptr);
  ASSERT_EQ(results.size(), 2u);
  for (const BenchResult& r : results) {
    EXPECT_EQ(r.refused, "");
    ASSERT_TRUE(r.latency);
    EXPECT_EQ(r.latency->count, 6u);
    ASSERT_TRUE(r.difference);
    EXPECT_EQ(r.difference->relative, 0);
    EXPECT_EQ(r.device, "adb:0123");
    EXPECT_FALSE(r.context.kernel.empty());
  }
  o.device = "adb:9999";
  EXPECT_NE(error_of([&] { bench(f / "m.tflite", o, {}, nullptr); }).find("device '9999' not found"),
            std::string::npos);
}

TEST(BenchDevice, WrongResultsAndDeadAgentsAreRefused) {
  const Folder f;
  f.put("m.tflite", tiny_tflite());
  const Path path(f / "bin");
  BenchOptions o;
  o.device = "adb:0123";
  o.agent = THIMBLE_GAUGE_AGENT;
  o.how = {.warmup = 0, .runs = 5};
  o.idle_seconds = 0;
  // The agent dies.
  put_adb(
      f,
      R"sh(case "$2" in *agent*--inputs*) echo "Illegal instruction" >&2; echo; echo "thimble-status 132" ;; *) echo; echo "thimble-status 0" ;; esac)sh");
  auto results = bench(f / "m.tflite", o, {}, nullptr);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_NE(results[0].refused.find("Illegal instruction"), std::string::npos);
  EXPECT_FALSE(results[0].latency);
  // The device computes something else: outputs come back from another file.
  put_adb(f, kRunShell);
  const graph::Tensor lie = graph::Tensor::of({1, 3}, std::vector<float>{9, 9, 9});
  write_outputs(f / "lie", {lie});
  const std::string adb = read_file(f / "bin/adb");
  const std::string pull = "pull) cp \"$root/$(echo \"$2\" | tr / _)\"";
  std::string other = adb;
  other.replace(other.find(pull), pull.size(), "pull) cp \"" + (f / "lie").string() + "\"");
  f.put("bin/adb", other);
  results = bench(f / "m.tflite", o, {}, nullptr);
  EXPECT_NE(results[0].refused.find("away from what thimble here gives"), std::string::npos) << results[0].refused;
  EXPECT_FALSE(results[0].latency);
}

TEST(BenchDevice, SshAndScp) {
  const Folder f;
  f.program(
      "bin/ssh",
      R"sh(while [ "$1" != -- ]; do shift; done; [ "$2" = me@box ] || { echo "ssh: no route to host" >&2; exit 255; }; sh -c "$3"
)sh");
  f.program("bin/scp", R"sh(while [ $# -gt 2 ]; do shift; done; cp "${1#me@box:}" "${2#me@box:}"
)sh");
  f.put("m.tflite", tiny_tflite());
  const Path path(f / "bin");
  BenchOptions o;
  o.device = "ssh:me@box";
  o.agent = THIMBLE_GAUGE_AGENT;
  o.how = {.warmup = 0, .runs = 5};
  o.idle_seconds = 0;
  const auto results = bench(f / "m.tflite", o, {}, nullptr);
  EXPECT_EQ(results.at(0).refused, "");
  EXPECT_EQ(results.at(0).difference->relative, 0);
  o.device = "ssh:-oProxyCommand=x";  // no host is an option
  EXPECT_NE(error_of([&] { bench(f / "m.tflite", o, {}, nullptr); }), "");
  o.device = "ssh:elsewhere";
  EXPECT_NE(error_of([&] { bench(f / "m.tflite", o, {}, nullptr); }).find("no route to host"), std::string::npos);
}

TEST(BenchDevice, WordsForShells) {
  EXPECT_EQ(shell_quoted("model-1.bin"), "model-1.bin");
  EXPECT_EQ(shell_quoted("a b"), "'a b'");
  EXPECT_EQ(shell_quoted("$(x)'"), "'$(x)'\\'''");
  EXPECT_EQ(shell_quoted(""), "''");
}

TEST(BenchDevice, PackedModelsAreCheckedWhenRead) {
  const Folder f;
  graph::Builder b("m");
  b.output("y", b.linear(b.input("x", {1, 4}), "l", 3));
  const graph::Graph g = b.finish();
  const graph::Weights w = graph::initialise(g, 1);
  write_packed_model(f / "m", g, w, "abc");
  const PackedModel m = read_packed_model(f / "m");
  EXPECT_EQ(m.sha256, "abc");
  EXPECT_EQ(m.graph, g);
  EXPECT_EQ(m.weights.names(), w.names());
  write_outputs(f / "o", {graph::Tensor::of({2}, std::vector<float>{1, 2})});
  EXPECT_NE(error_of([&] { read_packed_model(f / "o"); }).find("no graph in it"), std::string::npos);
  EXPECT_EQ(read_outputs(f / "o").at(0).as<float>()[1], 2);
  EXPECT_NE(error_of([&] { read_inputs(f / "o", g); }), "");
}

TEST(BenchProcess, StatusAndStreams) {
  const Finished f = run_process({"sh", "-c", "echo out; echo err >&2; exit 7"}, nullptr);
  EXPECT_EQ(f.status, 7);
  EXPECT_EQ(f.out, "out\n");
  EXPECT_EQ(f.err, "err\n");
  EXPECT_EQ(run_process({"sh", "-c", "kill -9 $$"}, nullptr).status, 128 + 9);
  EXPECT_NE(error_of([] { run_process({"no-such-program-at-all"}, nullptr); }).find("cannot be started"),
            std::string::npos);
  CancelToken cancel;
  cancel.cancel();
  EXPECT_THROW(run_process({"sleep", "60"}, &cancel), Error);
}

}  // namespace
}  // namespace thimble::gauge
