// Directivity of speaking people in the horizontal plane, dB relative to straight ahead, and the patterns made of it.
// Octaves: Monson, Hunter, Story 2012 (JASA 132:433), normal speech, 60 cm. Third-octaves: Kocon, Monson 2018
// (JASA 144:EL7), table 1, running speech of 15 talkers. Taken as round about the facing axis.
#include <array>
#include <memory>
#include <vector>

#include "dsp/room/directivity.h"

namespace thimble::dsp::room {
namespace {

// clang-format off
constexpr std::array<double, 8> kOctaves = {125, 250, 500, 1000, 2000, 4000, 8000, 16000};
constexpr double kOctaveGains[13][8] = {  // rows: 0, 15, ... 180 degrees
    {0, 0, 0, 0, 0, 0, 0, 0},
    {0.8, 0.7, 0.6, -0.2, -1, -1.7, -1, -0.1},
    {-0.1, -0.2, 0.1, -0.7, -0.1, -0.7, -1.7, -0.5},
    {-0.4, -0.5, 0, -1.4, -0.8, -1.6, -3.1, -2.3},
    {-0.6, -0.8, -0.1, -1.5, -2.5, -3.9, -5.8, -4.4},
    {-1.1, -1.6, -0.7, -1.4, -4.7, -5.3, -7, -5.1},
    {-1.6, -2.3, -1.6, -1.6, -7, -6.3, -8.7, -7.2},
    {-2.1, -3.1, -2.8, -2.5, -7.6, -9, -11.5, -10.1},
    {-2.7, -3.9, -4.4, -4.6, -7.9, -12.7, -15, -14.2},
    {-3.1, -4.5, -5.5, -7, -9.3, -14.5, -17.8, -17.8},
    {-3.5, -4.9, -6, -7.9, -13, -16.7, -21.5, -21.7},
    {-3.6, -5, -6, -6.9, -15, -21, -25, -23.5},
    {-3.6, -5.1, -5.9, -6.3, -13.1, -18.9, -26.3, -26.7},
};

constexpr double kThirdGains[25][13] = {  // Hz, then 15, 30, ... 180 degrees
    {79, 0.7, -0.2, 0, -0.6, -1, -1.4, -1.7, -2.2, -2.5, -2.7, -2.7, -2.7},
    {99, 0.7, -0.2, -0.5, -0.6, -1.1, -1.5, -1.8, -2.5, -2.9, -3.1, -3.2, -3.2},
    {125, 0.8, -0.1, -0.4, -0.6, -1, -1.5, -2, -2.6, -3.1, -3.4, -3.5, -3.6},
    {157, 0.8, -0.2, -0.5, -0.7, -1.3, -1.8, -2.3, -3, -3.4, -3.8, -4, -4},
    {198, 0.8, -0.2, -0.6, -0.9, -1.5, -2.2, -2.8, -3.5, -4, -4.2, -4.4, -4.4},
    {250, 0.7, -0.2, -0.5, -0.8, -1.5, -2.3, -3, -3.9, -4.4, -4.8, -4.9, -5},
    {315, 0.7, -0.1, -0.5, -0.8, -1.6, -2.5, -3.5, -4.6, -5.4, -5.8, -6.1, -6.1},
    {397, 0.6, -0.1, -0.4, -0.6, -1.4, -2.4, -3.5, -4.8, -5.8, -6.4, -6.7, -6.7},
    {500, 0.6, 0, -0.2, -0.4, -1, -2, -3.2, -4.6, -5.6, -6.1, -6.2, -6.2},
    {630, 0.7, 0.5, 0.7, 0.9, 0.5, -0.3, -1.7, -3.6, -5, -5.3, -5.1, -4.9},
    {794, 0.4, 0.4, 0.9, 1.6, 1.7, 1.5, 0.2, -2, -4.1, -4.5, -3.9, -3.4},
    {1000, -0.3, -1.4, -2.8, -3.2, -2.8, -2.6, -3.3, -5.4, -8.3, -9.2, -7.8, -7},
    {1260, -0.6, -1.2, -3, -5.5, -7.2, -6.8, -6.6, -7.8, -10.9, -14.2, -12.7, -11.3},
    {1587, -0.6, 0, -0.8, -3, -6, -7.7, -7.3, -7.5, -9.4, -13.8, -14.8, -12.7},
    {2000, -1.2, 0.3, 0.4, -0.5, -2.7, -5.7, -7.1, -7.3, -7.6, -10.9, -14.2, -12.6},
    {2520, -1.8, -0.9, -2.6, -3.9, -4.1, -6.4, -9.4, -10.9, -11.4, -13.6, -16.9, -15.3},
    {3175, -1.8, -0.5, -1.2, -3.6, -5, -6, -9.1, -12.7, -13.7, -16, -19.8, -17.7},
    {4000, -1.6, -1.1, -2.3, -4.3, -5.6, -6.6, -9, -13.3, -15.5, -17.1, -22.4, -19.7},
    {5040, -1.3, -0.3, -1, -3.8, -5.3, -6.1, -8.5, -11.7, -14.7, -17.7, -22, -21.3},
    {6350, -1.3, -1.5, -2.6, -5.3, -7, -8.9, -11.1, -14.7, -17, -20.5, -24.7, -24.8},
    {8000, -0.9, -1.6, -3.2, -6.3, -7.8, -9.5, -12.8, -16.3, -19.1, -21.8, -25.3, -26.7},
    {10079, -1.1, -1.9, -3.4, -5.6, -6.2, -7.8, -10.6, -14.2, -17.2, -22, -24.9, -27.4},
    {12699, 0, -0.6, -2.6, -4.5, -5.1, -7.1, -10, -13.9, -17.6, -21.5, -24.3, -27.5},
    {16000, -0.7, -0.5, -2.2, -4.7, -5.3, -7.7, -11.1, -15.6, -19.1, -23.1, -22.2, -26.3},
    {20159, -0.1, -0.7, -1.1, -4.2, -5.7, -7.3, -9.7, -14.8, -17.4, -21.1, -17, -21.9},
};
// clang-format on

std::vector<double> angles() {
  std::vector<double> out;
  for (int a = 0; a <= 180; a += 15) out.push_back(a);
  return out;
}

std::shared_ptr<const PatternTable> octave_table() {
  std::vector<double> gains;
  for (std::size_t f = 0; f < kOctaves.size(); ++f) {
    for (const auto& row : kOctaveGains) gains.push_back(row[f]);
  }
  return std::make_shared<PatternTable>(angles(), std::vector<double>(kOctaves.begin(), kOctaves.end()), gains);
}

std::shared_ptr<const PatternTable> third_octave_table() {
  std::vector<double> frequencies, gains;
  for (const auto& row : kThirdGains) {
    frequencies.push_back(row[0]);
    gains.push_back(0);
    gains.insert(gains.end(), row + 1, row + 13);
  }
  return std::make_shared<PatternTable>(angles(), frequencies, gains);
}

}  // namespace

Directivity Directivity::voice() {
  static const auto table = octave_table();
  return Directivity::table(table);
}

Directivity Directivity::voice_third_octaves() {
  static const auto table = third_octave_table();
  return Directivity::table(table);
}

}  // namespace thimble::dsp::room
