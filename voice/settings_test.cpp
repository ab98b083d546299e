#include "voice/settings.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace thimble::voice {
namespace {

Settings parse(const std::string& text) { return settings_from_json(parse_json(text, "test"), "test"); }

std::string refusal(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(Settings, RoundTrip) {
  Settings s;
  s.fit.band_weights = {1, 2, 3, 4, 5};
  s.fit.loudness = {0.25, 0.5, 0.75};
  s.power.superdirective = true;
  s.power.echoes = 2;
  s.direction.high_hz = 5500.5;
  s.origin = "a test";
  const OrderedJson written = settings_to_json(s);
  const Settings read = parse(written.dump());
  EXPECT_EQ(settings_to_json(read), written);
  EXPECT_EQ(read.fit.band_weights, s.fit.band_weights);
  EXPECT_EQ(read.fit.loudness, s.fit.loudness);
  EXPECT_TRUE(read.power.superdirective);
  EXPECT_EQ(read.direction.high_hz, 5500.5);
  EXPECT_EQ(read.origin, "a test");
}

TEST(Settings, MissingKeysKeepTheirDefaults) {
  const Settings s = parse(R"({"fit": {"residual_db": 4}})");
  EXPECT_EQ(s.fit.residual_db, 4);
  EXPECT_EQ(s.fit.facing_sigma_deg, Settings{}.fit.facing_sigma_deg);
}

TEST(Settings, Refusals) {
  EXPECT_NE(refusal(R"({"fit": {"residul_db": 4}})").find("fit.residul_db"), std::string::npos);
  EXPECT_NE(refusal(R"({"fit": {"residual_db": -1}})").find("fit.residual_db"), std::string::npos);
  EXPECT_NE(refusal(R"({"fit": {"residual_db": "4"}})").find("fit.residual_db"), std::string::npos);
  EXPECT_NE(refusal(R"({"fit": {"band_weights": [1, 2]}})").find("5 numbers"), std::string::npos);
  EXPECT_NE(refusal(R"({"power": {"echoes": 1.5}})").find("whole number"), std::string::npos);
  EXPECT_NE(refusal(R"({"power": {"superdirective": 1}})").find("true or false"), std::string::npos);
  EXPECT_NE(refusal(R"({"speed": 3})").find("speed"), std::string::npos);
  EXPECT_NE(refusal(R"({"direction": {"low_hz": 6000, "high_hz": 500}})").find("low_hz"), std::string::npos);
  EXPECT_NE(refusal("[]"), "");
}

TEST(Settings, TheFrozenFileIsRead) {
  EXPECT_EQ(frozen_hash().size(), 64u);
  EXPECT_EQ(settings_to_json(frozen()), settings_to_json(read_settings("voice/frozen.json")));
}

}  // namespace
}  // namespace thimble::voice
