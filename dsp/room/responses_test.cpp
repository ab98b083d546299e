// Impulse responses against pyroomacoustics (tools/dsp/room_goldens.py made the files) and against sums made by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstring>
#include <memory>
#include <numbers>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "dsp/room/decay.h"
#include "dsp/room/kernel.h"
#include "dsp/room/room.h"

namespace thimble::dsp::room {
namespace {

Vec3 vec(const Json& j) { return {j[0].get<double>(), j[1].get<double>(), j[2].get<double>()}; }

struct Golden {
  std::string name;
  Shoebox room;
  Source source;
  Microphone microphone;
  SimulationOptions options;
  std::vector<double> response;
  double energy = 0, sum = 0, t20 = 0, t30 = 0;
};

struct Goldens {
  std::vector<Golden> responses;
  Json inverse_sabine;
};

Directivity pattern_of(const Json& spec, const Json& document) {
  if (spec["pattern"].is_number()) return Directivity::cardioid_family(spec["pattern"]);
  std::vector<double> frequencies, gains;
  for (std::size_t b = 0; b < document["pattern"].size(); ++b) {
    frequencies.push_back(std::ldexp(125.0, static_cast<int>(b)));
    for (const double g : document["pattern"][b]) gains.push_back(g);
  }
  return Directivity::table(
      std::make_shared<PatternTable>(document["angles"].get<std::vector<double>>(), frequencies, gains));
}

const Goldens& goldens() {
  static const Goldens all = [] {
    const std::string folder = "dsp/room/testdata/";
    const Json document = parse_json(read_file(folder + "responses.json"), "responses.json");
    const std::string samples = read_file(folder + "responses.f32");
    Goldens out;
    out.inverse_sabine = document["inverse_sabine"];
    std::size_t at = 0;
    for (const Json& j : document["responses"]) {
      Golden g;
      g.name = j["name"];
      g.room.size = vec(j["size"]);
      for (std::size_t w = 0; w < 6; ++w)
        g.room.walls[w] = j["walls"][j["walls"].size() == 6 ? w : 0].get<Absorption>();
      g.room.air = j["air"].get<std::vector<double>>();
      g.source.position = vec(j["source"]);
      g.microphone.position = vec(j["microphone"]);
      if (j.contains("source_pattern")) {
        g.source.facing = vec(j["source_pattern"]["facing"]);
        g.source.pattern = pattern_of(j["source_pattern"], document);
      }
      if (j.contains("microphone_pattern")) {
        g.microphone.facing = vec(j["microphone_pattern"]["facing"]);
        g.microphone.pattern = pattern_of(j["microphone_pattern"], document);
      }
      g.options.rate = j["rate"];
      g.options.order = j["order"];
      g.options.high_pass = j["high_pass"];
      std::vector<float> h(j["length"].get<std::size_t>());
      std::memcpy(h.data(), samples.data() + at, h.size() * sizeof(float));
      at += h.size() * sizeof(float);
      g.response.assign(h.begin(), h.end());
      g.energy = j["energy"];
      g.sum = j["sum"];
      g.t20 = j["t20"];
      g.t30 = j["t30"];
      out.responses.push_back(std::move(g));
    }
    EXPECT_EQ(at, samples.size());
    return out;
  }();
  return all;
}

std::vector<double> respond(const Shoebox& room, const Source& s, const Microphone& m, const SimulationOptions& o,
                            int threads = 1) {
  ThreadPool pool(threads);
  return impulse_responses(room, {&s, 1}, {&m, 1}, o, pool).all[0];
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double out = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) out = std::max(out, std::abs(a[i] - b[i]));
  return out;
}

double energy(const std::vector<double>& h) {
  double sum = 0;
  for (const double x : h) sum += x * x;
  return sum;
}

// The response's complex gain at one frequency, time counted from emission.
std::complex<double> gain_at(const std::vector<double>& h, double frequency, int rate) {
  std::complex<double> sum = 0;
  for (std::size_t t = 0; t < h.size(); ++t)
    sum += h[t] * std::polar(1.0, -2 * std::numbers::pi * frequency * (static_cast<double>(t) - kResponseLead) / rate);
  return sum;
}

// What a path of length d and amplitude a / d adds to it.
std::complex<double> path(double d, double a, double frequency, double speed = 343) {
  return std::polar(a / d, -2 * std::numbers::pi * frequency * d / speed);
}

TEST(RoomResponses, AgreeWithPyroomacousticsSampleBySample) {
  for (const Golden& g : goldens().responses) {
    const auto h = respond(g.room, g.source, g.microphone, g.options);
    ASSERT_EQ(h.size(), g.response.size()) << g.name;
    const double worst = largest_difference(h, g.response);
    EXPECT_LT(worst, 1e-6) << g.name;
    EXPECT_NEAR(energy(h) / g.energy, 1, 1e-6) << g.name;
  }
}

// The table published with the reconstruction of the method: one band, absorption 0.19, high-pass off.
TEST(RoomResponses, GoldenTableOfTheReferenceRoom) {
  const Shoebox room = shoebox({6, 5, 3}, 0.19);
  const Source source{{3.1, 2.7, 1.6}};
  const Microphone microphone{{2.0, 1.5, 1.2}};
  struct Row {
    int order;
    std::int64_t images;
    std::size_t length;
    double energy, sum;
  };
  for (const Row& row : {Row{0, 1, 317, 0.3480827776, 0.5962342692}, Row{1, 7, 1064, 0.5965157826, 1.782666416},
                         Row{2, 25, 1924, 0.8287528571, 3.791239627}, Row{3, 63, 2733, 1.062513207, 6.532314559},
                         Row{10, 1561, 8635, 2.014362632, 34.82473625}}) {
    EXPECT_EQ(image_count(row.order), row.images);
    const auto h = respond(room, source, microphone, {.rate = 48000, .order = row.order, .high_pass = 0});
    EXPECT_EQ(h.size(), row.length);
    EXPECT_NEAR(energy(h), row.energy, 1e-6 * row.energy);
    double sum = 0;
    for (const double x : h) sum += x;
    EXPECT_NEAR(sum, row.sum, 1e-5);
    const double taps[7] = {0.07021973, -0.11507061, 0.31270352, 0.4406389, -0.12829867, 0.07458164, -0.052170157};
    if (row.order == 0) {
      for (std::size_t i = 0; i < 7; ++i) EXPECT_NEAR(h[272 + i], taps[i], 1e-6);
    }
    EXPECT_EQ(std::max_element(h.begin(), h.end()) - h.begin(), 275);
  }
}

TEST(RoomResponses, DecayCurvesAndTimesOfTheReference) {
  for (const Golden& g : goldens().responses) {
    const auto h = respond(g.room, g.source, g.microphone, g.options);
    const auto mine = energy_decay_db(h), theirs = energy_decay_db(g.response);
    for (std::size_t t = 0; t < std::min(mine.size(), theirs.size()) && theirs[t] > -60; ++t)
      ASSERT_NEAR(mine[t], theirs[t], 0.01) << g.name << " at " << t;
    if (g.options.order < 10) continue;
    EXPECT_NEAR(rt60(h, g.options.rate, 20), g.t20, 1e-4 * g.t20) << g.name;
    EXPECT_NEAR(rt60(h, g.options.rate, 30), g.t30, 1e-4 * g.t30) << g.name;
  }
}

// One reflecting wall: the direct sound and one mirror image, by Pythagoras.
TEST(RoomResponses, SingleReflectionsByHand) {
  const Vec3 size{5, 4, 3}, s{1.5, 1, 1}, m{4, 2.5, 1.75};
  const Vec3 images[6] = {{-1.5, 1, 1}, {8.5, 1, 1}, {1.5, -1, 1}, {1.5, 7, 1}, {1.5, 1, -1}, {1.5, 1, 5}};
  for (std::size_t w = 0; w < 6; ++w) {
    Shoebox room = shoebox(size, 1.0);
    room.walls[w] = {0.36};  // amplitude 0.8
    const auto h = respond(room, {s}, {m}, {.rate = 16000, .order = 1, .high_pass = 0});
    const double direct = norm(s - m), echo = norm(images[w] - m);
    for (const double f : {300.0, 1000.0, 3000.0}) {
      const auto expected = path(direct, 1, f) + path(echo, 0.8, f);
      // 4e-4 samples of the table's drift, and its straight lines.
      EXPECT_NEAR(std::abs(gain_at(h, f, 16000) - expected), 0, 1e-3) << "wall " << w << ", " << f << " Hz";
    }
  }
}

TEST(RoomResponses, AHigherOrderAddsTheImagesOfThatOrder) {
  // Two walls facing each other: images at 2 k L + x and 2 k L - x.
  Shoebox room = shoebox({4, 3, 3}, 1.0);
  room.walls[kWest] = {0.19};
  room.walls[kEast] = {0.51};
  const double low = 0.9, high = 0.7, s = 1, m = 2.5, f = 500;
  const auto h = respond(room, {{s, 1.5, 1.5}}, {{m, 1.5, 1.5}}, {.order = 3, .high_pass = 0});
  auto expected = path(m - s, 1, f) + path(m + s, low, f) + path(8 - s - m, high, f);
  expected += path(8 + s - m, low * high, f) + path(8 - s + m, low * high, f);
  expected += path(8 + s + m, low * low * high, f) + path(16 - s - m, low * high * high, f);
  EXPECT_NEAR(std::abs(gain_at(h, f, 16000) - expected), 0, 1e-3);
}

TEST(RoomResponses, SoundSpeedStretchesTime) {
  Shoebox room = shoebox({6, 5, 3}, 1.0);
  room.sound_speed = 200;
  const auto h = respond(room, {{1, 2, 1.5}}, {{5, 2, 1.5}}, {.rate = 16000, .order = 0, .high_pass = 0});
  EXPECT_EQ(std::max_element(h.begin(), h.end()) - h.begin(), kResponseLead + 320);  // 4 m
  EXPECT_NEAR(h[kResponseLead + 320], 0.25, 1e-4);
}

TEST(RoomResponses, AirTakesTheHighBands) {
  Shoebox room = shoebox({30, 5, 3}, 1.0);
  room.air = {1e-3, 2e-3, 4e-3, 8e-3, 16e-3, 32e-3, 64e-3};
  const auto h = respond(room, {{2, 2, 1.5}}, {{27, 2, 1.5}}, {.rate = 16000, .order = 0, .high_pass = 0});
  for (int b = 2; b < 6; ++b) {
    const double f = std::ldexp(125.0, b);
    EXPECT_NEAR(std::abs(gain_at(h, f, 16000)) * 25, std::exp(-0.5 * room.air[static_cast<std::size_t>(b)] * 25), 2e-3)
        << f;
  }
}

TEST(RoomResponses, AVoiceIsHeardByItsTable) {
  const Shoebox room = shoebox({10, 8, 4}, 1.0);
  const Vec3 mouth{5, 4, 1.6};
  for (const auto& [angle, f, db] : {std::tuple{180.0, 4000.0, -18.9},
                                     {90.0, 2000.0, -7.0},
                                     {90.0, 500.0, -1.6},
                                     {45.0, 4000.0, -1.6},
                                     {180.0, 1000.0, -6.3}}) {
    const Vec3 ear = mouth + unit_vector({angle * std::numbers::pi / 180, 0}) * 2;
    const auto h = respond(room, {mouth, {1, 0, 0}, Directivity::voice()}, {ear}, {.order = 0, .high_pass = 0});
    EXPECT_NEAR(20 * std::log10(2 * std::abs(gain_at(h, f, 16000))), db, 0.05) << angle << " degrees, " << f << " Hz";
  }
  // The third-octave table keeps its detail only on the third-octave grid.
  const Source thirds{mouth, {1, 0, 0}, Directivity::voice_third_octaves()};
  const Microphone side{{5, 6, 1.6}};
  const auto fine = respond(room, thirds, side, {.order = 0, .high_pass = 0, .third_octaves = true});
  EXPECT_NEAR(20 * std::log10(2 * std::abs(gain_at(fine, 793.7, 16000))), 1.5, 0.25);
  EXPECT_NEAR(20 * std::log10(2 * std::abs(gain_at(fine, 1259.9, 16000))), -6.8, 0.25);
  const auto coarse = respond(room, thirds, side, {.order = 0, .high_pass = 0});
  EXPECT_NEAR(20 * std::log10(2 * std::abs(gain_at(coarse, 1000, 16000))),
              10 * std::log10((std::pow(10, 0.15) + std::pow(10, -0.26) + std::pow(10, -0.68)) / 3), 0.05);
}

TEST(RoomResponses, FlatAndByBandAgreeWhereBandsAreAlike) {
  const Source source{{3.1, 2.7, 1.6}};
  const Microphone microphone{{2.0, 1.5, 1.2}};
  const SimulationOptions options{.rate = 16000, .order = 8};
  const auto flat = respond(shoebox({6, 5, 3}, 0.19), source, microphone, options);
  Shoebox bands = shoebox({6, 5, 3}, 0.19);
  bands.air = {0, 0, 0, 0, 0, 0, 1e-12};  // takes the other route, and nothing of the sound
  EXPECT_LT(largest_difference(flat, respond(bands, source, microphone, options)), 1e-6);
  SimulationOptions thirds = options;
  thirds.third_octaves = true;
  EXPECT_LT(largest_difference(flat, respond(bands, source, microphone, thirds)), 1e-6);
}

TEST(RoomResponses, AnyThreadsAndAnyCompanyGiveTheSame) {
  const Shoebox room = shoebox({4.7, 3.9, 2.6}, Absorption{0.1, 0.2, 0.3});
  std::vector<Source> sources = {{{1.3, 2.2, 1.5}, {1, 1, 0}, Directivity::voice()}, {{3.3, 1.2, 1.1}}};
  std::vector<Microphone> microphones = {{{3.6, 0.7, 1.1}}, {{0.6, 0.7, 1.1}, {1, 0, 0}, Directivity::cardioid()}};
  const SimulationOptions options{.order = 30};
  ThreadPool one(1), three(3);
  const auto a = impulse_responses(room, sources, microphones, options, one);
  const auto b = impulse_responses(room, sources, microphones, options, three);
  EXPECT_EQ(a.all, b.all);
  EXPECT_LT(largest_difference(a.at(0, 1), respond(room, sources[0], microphones[1], options)), 1e-6);
  EXPECT_LT(largest_difference(a.at(1, 0), respond(room, sources[1], microphones[0], options)), 1e-6);
}

TEST(RoomResponses, DurationCutsTheEnd) {
  const Shoebox room = shoebox({4.7, 3.9, 2.6}, 0.1);
  const Source source{{1.3, 2.2, 1.5}};
  const Microphone microphone{{3.6, 0.7, 1.1}};
  const auto all = respond(room, source, microphone, {.order = 30, .high_pass = 0});
  const auto cut = respond(room, source, microphone, {.order = 30, .duration = 0.1, .high_pass = 0});
  ASSERT_NEAR(static_cast<double>(cut.size()), 1600 + 2 * kResponseLead + 2, 1);
  for (std::size_t t = 0; t < 1600; ++t) ASSERT_NEAR(cut[t], all[t], 1e-6) << t;
}

TEST(RoomKernels, AllInstructionSetsAgree) {
  auto table = std::make_unique<DelayTable>();
  for (int p = 0; p < kPhases; ++p) {
    for (int k = 0; k < kTaps; ++k) {
      table->value[p][k] = static_cast<float>(std::sin(0.1 * k + p));
      table->step[p][k] = static_cast<float>(0.1 * std::cos(0.2 * k - p));
    }
  }
  std::vector<float> rows(static_cast<std::size_t>(kPatternRows) * 3);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(1 / (1 + 1e-4 * static_cast<double>(i)));
  const float air[3] = {0.001f, 0.01f, 3.0f};
  const PatternGains tabled{1, rows.data()}, cardioid{0.5, nullptr};
  PathModel model;
  model.bands = 3;
  model.lead = 40.0 / 16000;
  model.air = air;
  model.source = &tabled;
  model.microphone = &cardioid;
  std::vector<float> reference;
  for (const Isa isa : usable_isas()) {
    auto batch = std::make_unique<Batch>();
    batch->count = 301;
    for (int i = 0; i < batch->count; ++i) {
      const double d = 1 + 0.37 * i;
      batch->square[i] = d * d;
      batch->source_along[i] = i == 0 ? d : i == 1 ? -d : d * std::cos(0.1 * i);
      batch->microphone_along[i] = d * std::sin(0.3 * i);
      for (auto& gain : batch->gain) gain[i] = 0.9f;
    }
    std::vector<float> out(3 * 8000);
    const ImageKernels& kernels = image_kernels(isa);
    kernels.finish(*batch, model);
    kernels.place(*batch, 3, *table, out.data(), 8000, 5000);
    if (reference.empty()) reference = out;
    for (std::size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], reference[i], 2e-6) << kernels.name << " at " << i;
    for (std::size_t i = 5080; i < 8000; ++i) ASSERT_EQ(out[i], 0);  // paths past `last` are left out
  }
}

void expect_refused(const std::string& word, const Shoebox& room, const Source& source, const Microphone& microphone,
                    const SimulationOptions& options = {.order = 1}) {
  try {
    respond(room, source, microphone, options);
    ADD_FAILURE() << "not refused: " << word;
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::bad_input);
    EXPECT_NE(e.message().find(word), std::string::npos) << e.message();
    EXPECT_EQ(e.message().find('\n'), std::string::npos);
  }
}

TEST(RoomResponses, BadInputIsNamed) {
  const Shoebox room = shoebox({6, 5, 3}, 0.2);
  const Source s{{1, 1, 1}};
  const Microphone m{{2, 2, 2}};
  const double nan = std::nan("");
  expect_refused("source 0 at (7, 1, 1) is not inside", room, {{7, 1, 1}}, m);
  expect_refused("source 0 at (nan, 1, 1) is not inside", room, {{nan, 1, 1}}, m);
  expect_refused("microphone 0 at (2, 5, 1) is not inside", room, s, {{2, 5, 1}});
  expect_refused("within 1 mm", room, s, {{1, 1, 1.0005}});
  expect_refused("source 0 faces", room, {{1, 1, 1}, {0, 0, 0}}, m);
  expect_refused("microphone 0 faces", room, s, {{2, 2, 2}, {nan, 0, 0}});
  expect_refused("an absorption of 1.1 on the west wall", shoebox({6, 5, 3}, 1.1), s, m);
  expect_refused("an absorption of nan", shoebox({6, 5, 3}, nan), s, m);
  expect_refused("the west wall has no absorption", shoebox({6, 5, 3}, Absorption{}), s, m);
  Shoebox ceiling = room;
  ceiling.walls[kCeiling] = {0.1, -0.2};
  expect_refused("an absorption of -0.2 on the ceiling wall", ceiling, s, m);
  expect_refused("sides of 6 x 0.05 x 3 m", shoebox({6, 0.05, 3}, 0.2), s, m);
  expect_refused("sides of 6 x 5 x 3000 m", shoebox({6, 5, 3000}, 0.2), s, m);
  Shoebox air = room;
  air.air = {-1};
  expect_refused("an air absorption of -1", air, s, m);
  Shoebox still = room;
  still.sound_speed = 0;
  expect_refused("a sound speed of 0", still, s, m);
  expect_refused("an order of -1", room, s, m, {.order = -1});
  expect_refused("an order of 401", room, s, m, {.order = 401});
  expect_refused("a rate of 1000", room, s, m, {.rate = 1000});
  expect_refused("a duration of nan", room, s, m, {.duration = nan});
  expect_refused("a high-pass edge of 5000", room, s, m, {.high_pass = 5000});
  expect_refused("a tail's decay time of 0.001", room, s, m, {.tail = DiffuseTail{{0.001}}});
  expect_refused("no decay time", room, s, m, {.tail = DiffuseTail{}});
  expect_refused("samples; at most", shoebox({900, 900, 900}, 0.2), s, m, {.rate = 192000, .order = 400});
  const std::vector<Microphone> many(2000, m);
  ThreadPool pool(1);
  EXPECT_THROW(impulse_responses(shoebox({600, 600, 600}, 0.2), {&s, 1}, many, {.order = 100}, pool), Error);
  EXPECT_THROW(impulse_responses(room, {}, many, {}, pool), Error);
  EXPECT_THROW(impulse_responses(room, {&s, 1}, {}, {}, pool), Error);
}

}  // namespace
}  // namespace thimble::dsp::room
