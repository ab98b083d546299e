// Deciders on observations of which the answer is known, and the way of messages from nodes to a decision.
#include <gtest/gtest.h>

#include "base/error.h"
#include "voice/calibrate.h"
#include "voice/gather.h"
#include "voice/hub.h"
#include "voice/message.h"
#include "voice/method.h"
#include "voice/test_sounds.h"

namespace thimble::voice {
namespace {

using namespace testing;

TEST(Decide, EveryDeviceCanBeMeant) {
  const Room room = around({10, 95, 170, 260}, {1.5, 3, 2, 2.5});
  const auto method = make_method("facing", {});
  for (std::size_t d = 0; d < room.poses.size(); ++d) {
    const dsp::Vec3 way = room.poses[d].position - room.mouth;
    const double facing = std::atan2(way.y, way.x) + 6 * kDegree;
    const Decision decision = method->decide(observe(room, facing, 0.08), room.poses);
    EXPECT_EQ(decision.device, static_cast<int>(d));
    EXPECT_GT(decision.confidence, 0.8);
    ASSERT_TRUE(decision.position && decision.facing);
    EXPECT_NEAR(decision.position->x, room.mouth.x, 0.03);
    EXPECT_NEAR(decision.position->y, room.mouth.y, 0.03);
    // The angle is drawn towards the device, as people face what they mean: less than the 6 degrees, not none.
    EXPECT_NEAR(dsp::wrap_angle(*decision.facing - facing), 0, 5.9 * kDegree);
    EXPECT_GT(dsp::wrap_angle(*decision.facing - std::atan2(way.y, way.x)), 0.1 * kDegree);
    double sum = decision.nobody;
    for (const DeviceScore& s : decision.scores) sum += s.score;
    EXPECT_NEAR(sum, 1, 1e-9);
  }
}

TEST(Decide, TheNearLoudDeviceIsNotMeant) {
  // One device at 1 m aside, the one that is faced at 4 m: louder and nearer mean the wrong one.
  const Room room = around({0, 90, 200}, {4, 1, 2});
  const auto observations = observe(room, 0, 0.05);
  EXPECT_EQ(make_method("facing", {})->decide(observations, room.poses).device, 0);
  EXPECT_EQ(make_method("loudest", {})->decide(observations, room.poses).device, 1);
  EXPECT_EQ(make_method("nearest", {})->decide(observations, room.poses).device, 1);
  EXPECT_EQ(make_method("direct-a", {})->decide(observations, room.poses).device, 0);
  EXPECT_EQ(make_method("direct-b", {})->decide(observations, room.poses).device, 0);
  EXPECT_EQ(make_method("direct-c", {})->decide(observations, room.poses).device, 0);
  const Truth truth{room.mouth, 0, {}};
  EXPECT_EQ(make_method("oracle", {})->decide(observations, room.poses, &truth).device, 0);
}

TEST(Decide, BaselinesTakeTheirMeasure) {
  const Room room = around({0, 120, 240});
  auto o = observe(room, 120 * kDegree, 0.02);
  for (const char* name : {"loudest", "loudest-beam", "raw-distance", "pattern-cosine", "facing"})
    EXPECT_EQ(make_method(name, {})->decide(o, room.poses).device, 1) << name;
  o[2].band_ratio_db = 5;
  o[0].steered_coherence = 0.9;
  EXPECT_EQ(make_method("band-ratio", {})->decide(o, room.poses).device, 2);
  EXPECT_EQ(make_method("gcc-peak", {})->decide(o, room.poses).device, 0);
  for (const std::string& name : method_names()) EXPECT_EQ(make_method(name, {})->name(), name);
  EXPECT_THROW(make_method("magic", {}), Error);
  EXPECT_THROW(make_method("oracle", {})->decide(o, room.poses), Error) << "needs the truth";
}

TEST(Decide, Nobody) {
  Settings settings;
  settings.fit.nobody_prior = 0.3;
  const Room room = around({0, 90, 180, 270});
  const Decision away = make_method("facing", settings)->decide(observe(room, 45 * kDegree, 0.05), room.poses);
  EXPECT_EQ(away.device, kNobody);
  EXPECT_GT(away.nobody, 0.5);
  ASSERT_TRUE(away.facing);
  EXPECT_NEAR(*away.facing, 45 * kDegree, 6 * kDegree);
  const Decision faced = make_method("facing", settings)->decide(observe(room, 0, 0.05), room.poses);
  EXPECT_EQ(faced.device, 0);
  EXPECT_LT(faced.nobody, 0.2);
  settings.fit.min_confidence = 1;
  EXPECT_EQ(make_method("facing", settings)->decide(observe(room, 0, 0.3), room.poses).device, kNobody);
}

TEST(Decide, WhatIsLeft) {
  const Room room = around({0, 90, 200, 280});
  auto o = observe(room, 0, 0.05);
  o.erase(o.begin() + 2);
  const Decision three = make_method("facing", {})->decide(o, room.poses);
  EXPECT_EQ(three.device, 0);
  EXPECT_NE(three.note.find("nothing from device 2"), std::string::npos);
  o.resize(1);
  const Decision one = make_method("facing", {})->decide(o, room.poses);
  EXPECT_EQ(one.device, 0);
  EXPECT_LE(one.confidence, 0.25);
  EXPECT_FALSE(one.position);
}

TEST(Decide, DegenerateGeometryFallsBackToLoudness) {
  Room room = around({0, 180});  // the talker between both: no crossing
  const Decision line = make_method("facing", {})->decide(observe(room, 0, 0.05), room.poses);
  EXPECT_EQ(line.device, 0);
  EXPECT_FALSE(line.position);
  EXPECT_NE(line.note.find("loudest beam"), std::string::npos);
  room = around({0, 90});
  auto o = observe(room, 90 * kDegree, 0.05);
  room.poses[1].position = room.poses[0].position;  // all in one point
  EXPECT_NE(make_method("facing", {})->decide(o, room.poses).note.find("one point"), std::string::npos);
}

TEST(Decide, BadObservations) {
  const Room room = around({0, 90, 200});
  const auto method = make_method("facing", {});
  const auto good = observe(room, 0, 0.05);
  EXPECT_THROW(method->decide({}, room.poses), Error);
  auto o = good;
  o[1].device = 0;
  EXPECT_THROW(method->decide(o, room.poses), Error);
  o[1].device = 9;
  EXPECT_THROW(method->decide(o, room.poses), Error);
  o = good;
  o[1].raw[2] = NAN;
  EXPECT_THROW(method->decide(o, room.poses), Error);
  o = good;
  for (Observation& each : o) each.heard = 0;  // no band stands out of the noise: still an answer
  EXPECT_NO_THROW(method->decide(o, room.poses));
}

TEST(Gains, KnownOnesAreTakenOffAndUnknownOnesLearned) {
  Settings settings;
  settings.fit.gain_learning = 0.4;
  Room room = around({15, 100, 190, 275}, {2, 2.5, 1.8, 2.2});
  const std::vector<double> gains = {2, -2, 1, -1};  // dB
  const auto loud = [&](double facing) {
    auto o = observe(room, facing, 0.06);
    for (std::size_t d = 0; d < o.size(); ++d)
      for (BandPowers* p : {&o[d].raw, &o[d].beam, &o[d].coherent, &o[d].onset, &o[d].noise})
        for (double& v : *p) v *= std::pow(10.0, gains[d] / 10);
    return o;
  };
  const auto method = make_method("facing", settings);
  GainCalibration calibration(settings.fit);
  Rng rng(3);
  for (int i = 0; i < 30; ++i) {
    const double facing = (15.0 + 88 * static_cast<double>(rng.below(4))) * kDegree;
    calibration.learn(method->decide(loud(facing), calibration.apply(room.poses)));
  }
  for (std::size_t d = 0; d < gains.size(); ++d)
    EXPECT_NEAR(calibration.gain_db(static_cast<int>(d)), gains[d], 1.0) << d;

  for (std::size_t d = 0; d < gains.size(); ++d) room.poses[d].gain_db = gains[d];
  const Decision known = method->decide(loud(15 * kDegree), calibration.apply(room.poses));
  const Decision plain =
      method->decide(observe(room, 15 * kDegree, 0.06), around({15, 100, 190, 275}, {2, 2.5, 1.8, 2.2}).poses);
  for (std::size_t d = 0; d < gains.size(); ++d) EXPECT_NEAR(known.scores[d].score, plain.scores[d].score, 1e-9);
}

Observation heard(int device, std::uint32_t utterance = 1) {
  Observation o;
  o.device = device;
  o.utterance = utterance;
  return o;
}

TEST(Gather, CompleteDeadlineAndSilence) {
  const std::vector<int> ids = {0, 1, 2};
  Gatherer g(ids, {.settle = 0.15, .deadline = 0.5, .give_up = 30});
  EXPECT_FALSE(g.next_deadline());
  g.observed(heard(1), 10);
  g.observed(heard(0), 10.1);
  EXPECT_FALSE(g.poll(10.12));
  g.observed(heard(2), 10.2);
  auto all = g.poll(10.2);  // at once
  ASSERT_TRUE(all);
  ASSERT_EQ(all->observations.size(), 3u);
  EXPECT_EQ(all->observations[0].device, 0);
  EXPECT_TRUE(all->silent.empty());

  // Device 2 heard nothing: after the settling time the others decide.
  g.started(0, 20);
  g.started(1, 20);
  g.observed(heard(0, 2), 21);
  EXPECT_FALSE(g.poll(21.3)) << "device 1 is still hearing the voice";
  g.observed(heard(1, 2), 21.35);
  g.observed(heard(1, 2), 21.36);  // sent twice, counts once
  EXPECT_FALSE(g.poll(21.4));
  EXPECT_NEAR(*g.next_deadline(), 21.5, 1e-9);
  auto two = g.poll(21.5);
  ASSERT_TRUE(two);
  EXPECT_EQ(two->observations.size(), 2u);
  g.observed(heard(1, 2), 21.6);  // and once more, late
  EXPECT_FALSE(g.poll(30));

  // Device 2 dies in mid-utterance: decided at the deadline from what is left, and said.
  for (const int id : ids) g.started(id, 40);
  g.observed(heard(0, 3), 42);
  g.observed(heard(1, 3), 42.1);
  EXPECT_FALSE(g.poll(42.4));
  auto left = g.poll(42.5);
  ASSERT_TRUE(left);
  EXPECT_EQ(left->observations.size(), 2u);
  EXPECT_EQ(left->silent, std::vector<int>{2});
  EXPECT_THROW(g.started(7, 50), Error);
}

constexpr std::uint64_t kNow = 1'750'000'000'000'000;
const char* const kSecret = "a key for the tests";

TEST(Hub, FromPacketsToADecision) {
  const Room room = around({10, 95, 170, 260});
  const auto observations = observe(room, 95 * kDegree, 0.06);
  std::vector<net::Sealer> nodes;
  for (std::uint16_t id = 0; id < 4; ++id) nodes.emplace_back(net::Key(kSecret), id);
  Hub hub(room.poses, {}, net::Key(kSecret), {});
  for (auto& node : nodes) EXPECT_TRUE(hub.take(node.seal(kStarted, {}, kNow), kNow));
  std::vector<std::byte> last;
  for (std::size_t d = 0; d < 3; ++d) {  // device 3 dies in mid-utterance
    last = nodes[d].seal(kObservation, encode_message(observations[d]), kNow + 2'000'000);
    EXPECT_LT(last.size(), 100u);
    EXPECT_TRUE(hub.take(last, kNow + 2'000'000));
  }
  EXPECT_FALSE(hub.poll(kNow + 2'100'000));
  EXPECT_NEAR(hub.wait(kNow + 2'100'000, 10), 0.4, 1e-3);
  const auto result = hub.poll(kNow + 2'500'001);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->decision.device, 1);
  EXPECT_NE(result->decision.note.find("device 3 began and fell silent"), std::string::npos);
  EXPECT_FALSE(hub.poll(kNow + 9'000'000));

  net::Opener node(net::Key(kSecret), 10);
  const auto packet = node.open(hub.verdict_packet(result->decision, kNow + 2'600'000), kNow + 2'600'000);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->kind, kVerdict);
  EXPECT_EQ(decode_verdict(packet->content).device, 1);
  EXPECT_NEAR(decode_verdict(packet->content).confidence, result->decision.confidence, 2e-3);
  EXPECT_EQ(decode_verdict(encode_verdict({kNobody, 0})).device, kNobody);
  EXPECT_THROW(decode_verdict({}), Error);
}

TEST(Hub, HostilePacketsChangeNothing) {
  const Room room = around({10, 95, 170});
  const auto o = observe(room, 95 * kDegree, 0.06);
  Hub hub(room.poses, {}, net::Key(kSecret), {});
  net::Sealer thief(net::Key("a key that is wrong"), 0), stranger(net::Key(kSecret), 8), node(net::Key(kSecret), 0);
  EXPECT_FALSE(hub.take(thief.seal(kObservation, encode_message(o[0]), kNow), kNow));
  EXPECT_FALSE(hub.take(stranger.seal(kObservation, encode_message(o[0]), kNow), kNow));
  EXPECT_FALSE(hub.take(node.seal(kObservation, encode_message(o[1]), kNow), kNow)) << "says it is another device";
  EXPECT_FALSE(hub.take(node.seal(kObservation, {}, kNow), kNow));
  EXPECT_FALSE(hub.take(node.seal(99, {}, kNow), kNow));
  EXPECT_FALSE(hub.take({}, kNow));
  const auto first = node.seal(kStarted, {}, kNow + 10),
             second = node.seal(kObservation, encode_message(o[0]), kNow + 20);
  EXPECT_TRUE(hub.take(second, kNow + 30));
  EXPECT_FALSE(hub.take(second, kNow + 30));
  EXPECT_FALSE(hub.take(first, kNow + 30));
  EXPECT_EQ(hub.counts().forged, 1u);
  EXPECT_EQ(hub.counts().malformed, 1u);
  EXPECT_EQ(hub.counts().replayed, 1u);
  EXPECT_EQ(hub.counts().reordered, 1u);
  EXPECT_EQ(hub.unknown_senders(), 1u);
  EXPECT_EQ(hub.bad_contents(), 3u);
  const auto result = hub.poll(kNow + 1'000'000);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->gathered.observations.size(), 1u);
}

}  // namespace
}  // namespace thimble::voice
