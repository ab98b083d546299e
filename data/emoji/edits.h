// Edit pairs: two pictures of one style (or one concept in two styles) that differ by one nameable change, and
// instructions that name it. Pairs are kept as indices; instructions are made when asked for. Example:
//   data::EditSet edits(set->entries());
//   const data::EditPair pair = edits.sample(rng, data::Split::train);
//   const std::string text = edits.instruction(pair, rng);   // one of the trained wordings
// Edits made from any picture (ground, composition, masks, enlarging) are in tasks.h.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "data/emoji/dataset.h"

namespace thimble::data {

enum class EditFamily : std::uint8_t {
  style,      // one concept, another style
  skin,       // one tone or none
  skin_pair,  // two people or hands
  sex,        // man, woman, person
  hair,
  role,        // person <-> role
  role_swap,   // role -> other role
  turn,        // facing left (as drawn) <-> right
  expression,  // round faces
  animal,      // cat faces, monkeys
  clock,
  moon,
  heart,  // colour
  shape,  // colour and form of circles and squares
  arrow,  // direction of arrows and pointing hands
  keycap,
  object,  // pairs chosen by hand
  flag,
};
inline constexpr int kEditFamilies = 18;
std::string_view to_string(EditFamily family);

struct EditPair {
  int before = 0, after = 0;  // entry ids
  EditFamily family = EditFamily::style;
  bool operator==(const EditPair&) const = default;
};

// Wordings of each family; the last one is never used in training.
inline constexpr int kEditWordings = 4;

class EditSet {
 public:
  // `entries` must outlive this; entries[i].id == i.
  explicit EditSet(const std::vector<Entry>& entries);

  std::span<const EditPair> pairs(EditFamily family) const { return pairs_[static_cast<std::size_t>(family)]; }
  std::span<const EditPair> pairs(EditFamily family, Split split) const {
    return by_split_[static_cast<std::size_t>(split)][static_cast<std::size_t>(family)];
  }

  // The strictest of the two ends: unseen_style, then test, validation, combination, train.
  Split split(const EditPair& pair) const;

  // Wording 0..kEditWordings-2 are for training, kEditWordings-1 is held out.
  std::string instruction(const EditPair& pair, int wording) const;
  std::string instruction(const EditPair& pair, Rng& rng) const;  // a trained wording

  // By class of edit first (style 20, skin 15, expression 15, sex 8, hair 6, role 8, colour 8, signs 8), then by
  // family, then by pair, so that large families do not drown small ones. Throws bad_input if the split has no pair at
  // all.
  EditPair sample(Rng& rng, Split split) const;

 private:
  void add(EditFamily family, int before, int after);
  void add_all(EditFamily family, const std::vector<int>& ids);

  const std::vector<Entry>& entries_;
  std::array<std::vector<EditPair>, kEditFamilies> pairs_;
  std::array<std::array<std::vector<EditPair>, kEditFamilies>, kSplits> by_split_;
};

// Instruction for a pair of entries; what EditSet::instruction says.
std::string edit_instruction(EditFamily family, const Entry& before, const Entry& after, int wording);

}  // namespace thimble::data
