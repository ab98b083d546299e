// From dry sound to tables, with two configurations of a corpus made up of noise bursts.
#include "voice/study/sweep.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/rng.h"
#include "media/wav.h"
#include "voice/study/render.h"
#include "voice/study/tune.h"

namespace thimble::voice {
namespace {

namespace fs = std::filesystem;

// Syllables of noise, 1.2 s.
std::vector<double> babble(std::uint64_t seed) {
  std::vector<float> noise(kCorpusRate * 12 / 10);
  fill_normal(noise, seed);
  std::vector<double> x;
  for (std::size_t t = 0; t < noise.size(); ++t) {
    const double syllable = std::pow(std::sin(M_PI * 4 * static_cast<double>(t) / kCorpusRate), 2);
    x.push_back(0.1 * syllable * noise[t]);
  }
  return x;
}

struct Fixture {
  fs::path folder = fs::temp_directory_path() / ("thimble_sweep_" + std::to_string(::getpid()));
  Fixture() {
    fs::remove_all(folder);
    fs::create_directories(folder / "corpus" / "a");
    media::write_wav(folder / "corpus/a/00.wav", dsp::to_sound({kCorpusRate, {babble(1)}}));
    write_file(folder / "corpus/manifest.json",
               R"({"format": "thimble voice corpus 1", "rate": 16000, "talkers": [{"id": "a", "language": "en",
               "sex": "?", "licence": "x", "source": "y", "upper_band_db": -3, "split": "test",
               "phrases": ["a/00.wav"]}]})");
  }
  ~Fixture() { fs::remove_all(folder); }

  SweepOptions options() const {
    SweepOptions o;
    o.folder = folder / "out";
    o.corpus = folder / "corpus";
    o.sampler = {.seed = 5, .devices = {2, 3}, .rt60 = {0.2}, .snr_low = 30, .nobody = 0, .positions = 1};
    o.settings_hash = std::string(64, 'a');
    return o;
  }
};

TEST(Render, DirectPowersFallAsTheyShould) {
  // A talker on the axis between two devices at 1 m and 2 m: 6.02 dB by distance, and the pattern behind.
  Scene scene;
  scene.room = RoomShape{{8, 6, 3}, {}};
  for (double x : {5.0, 2.0}) {
    Device device;
    device.name = x > 4 ? "ahead" : "behind";
    device.position = {x, 3, 1.5};
    device.array_name = "line2";
    device.array = dsp::array_by_name("line2");
    scene.devices.push_back(device);
  }
  scene.talker = Talker{{4, 3, 1.5}, 0};
  RenderSetup setup{.room = dsp::room::shoebox({8, 6, 3}, 0.6), .pattern = talker_pattern(0, 0)};
  setup.gains_db = {6, 0};
  ThreadPool pool(1);
  const Rendered out = render_scene(scene, babble(3), setup, pool);
  ASSERT_EQ(out.devices.size(), 2u);
  EXPECT_EQ(out.devices[0].channels.size(), 2u);
  const double mean_4k = 10 * std::log10(out.direct[0][3] / out.direct[1][3]);
  EXPECT_NEAR(mean_4k, 6.02 + 18.9, 1.0);  // 18.9 dB: Monson's 4 kHz octave at 180 degrees
  EXPECT_NEAR(10 * std::log10(out.direct[0][0] / out.direct[1][0]), 6.02 + 5.9, 1.0);
  // The gain error is in the recording (noise of 25 dB below adds little), not in the truth.
  setup.gains_db = {0, 0};
  const Rendered plain = render_scene(scene, babble(3), setup, pool);
  EXPECT_NEAR(20 * std::log10(dsp::rms(out.devices[0].channels[0]) / dsp::rms(plain.devices[0].channels[0])), 6, 1e-6);
  EXPECT_DOUBLE_EQ(out.direct[0][2], plain.direct[0][2]);
}

TEST(Sweep, RunsResumesAndReports) {
  const Fixture fixture;
  SweepOptions options = fixture.options();
  std::vector<Trial> first;
  {
    // Rank 0 of 3 makes pieces 0 and 3 of the five.
    options.record.rank = {0, 3};
    const SweepState state = run_sweep(options, {}, CancelToken());
    EXPECT_EQ(state.wanted, 5u);
    EXPECT_EQ(state.recorded, 2u);
    EXPECT_FALSE(state.complete());
    first = read_trials(options);
    ASSERT_EQ(first.size(), 2u);
  }
  EXPECT_EQ(first[1].index, 3u);
  ASSERT_EQ(first[0].poses.size(), 3u);
  // A record is read back as it was.
  EXPECT_EQ(trial_to_json(first[0]).dump(),
            trial_to_json(trial_from_json(Json::parse(trial_to_json(first[0]).dump()), "t")).dump());

  options.record.rank = {};
  const OrderedJson summary = report_sweep(options, {}, CancelToken());
  EXPECT_EQ(summary["trials"], 2);
  EXPECT_EQ(summary["settings"], options.settings_hash);
  EXPECT_EQ(summary["seed"], 5);
  EXPECT_EQ(summary["methods"][0], "facing");
  for (const char* file : {"summary.json", "tables.txt", "trials.csv", "accuracy-devices.png", "accuracy-rt60.svg"}) {
    EXPECT_TRUE(fs::exists(options.folder / file)) << file;
  }
  EXPECT_NE(read_file(options.folder / "tables.txt").find(options.settings_hash), std::string::npos);
  // Two trials, two counts, every method, one head line.
  const std::string csv = read_file(options.folder / "trials.csv");
  EXPECT_EQ(static_cast<std::size_t>(std::count(csv.begin(), csv.end(), '\n')), 1 + 2 * 2 * studied_methods().size());

  // Measured anew, the same; and what the settings of measuring say is part of the work's name.
  SweepOptions again = options;
  again.folder = fixture.folder / "again";
  again.record.rank = {0, 3};
  run_sweep(again, {}, CancelToken());
  EXPECT_EQ(read_file(again.folder / "records-0000.jsonl"), read_file(options.folder / "records-0000.jsonl"));
  again.settings.fit.beam = 0.5;
  EXPECT_EQ(read_trials(again).size(), 2u);
  again.settings.direction.high_hz = 5000;
  EXPECT_THROW(read_trials(again), Error);
}

// A method whose answer is known: always the highest number it sees.
class Last final : public Method {
 public:
  std::string_view name() const override { return "last"; }

 protected:
  Decision decide_checked(std::span<const Observation> observations, std::span<const DevicePose>,
                          const Truth*) const override {
    Decision d;
    for (const Observation& o : observations) d.device = std::max(d.device, o.device);
    return d;
  }
};

TEST(Trial, NumbersOfDevicesAreNoHint) {
  Trial trial;
  for (int d = 0; d < 4; ++d) {
    trial.poses.push_back({.id = d, .position = {1.0 + d, 1, 1}, .azimuth = 0, .array = {}, .gain_db = {}});
    trial.observations.emplace_back(Observation());
    trial.observations.back()->device = d;
    trial.truth.direct.push_back({1, 1, 1, 1, 1});
  }
  int right = 0;
  for (trial.index = 0; trial.index < 400; ++trial.index) right += judge(trial, decide_trial(trial, 4, Last())).right;
  EXPECT_NEAR(right, 100, 35);
  trial.observations.assign(4, std::nullopt);
  EXPECT_EQ(decide_trial(trial, 4, Last()).device, kNobody);
}

TEST(Sweep, SeedComesFromTheSettings) {
  EXPECT_EQ(seed_of("0000002aff"), 42u);
  EXPECT_THROW(seed_of("xyz"), Error);
}

TEST(Tune, KnobsAreSettings) {
  const Json settings = Json::parse(settings_to_json(Settings{}).dump());
  for (const Knob& knob : decision_knobs()) {
    ASSERT_TRUE(settings.contains(Json::json_pointer(knob.path))) << knob.path;
    const double value = settings.at(Json::json_pointer(knob.path)).get<double>();
    EXPECT_LE(knob.low, value) << knob.path;
    EXPECT_GE(knob.high, value) << knob.path;
    EXPECT_TRUE((knob.step > 0) != (knob.factor > 1)) << knob.path;
  }
}

}  // namespace
}  // namespace thimble::voice
