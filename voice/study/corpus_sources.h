// Which recordings of which packages make a talker. Facts only; read from the packages' own copyright files and folder
// names. Inside this folder only.
#pragma once

#include <span>
#include <string_view>

#include "voice/study/corpus.h"
#include "voice/study/packages.h"

namespace thimble::voice {

struct TalkerSource {
  std::string_view talker, language, sex, licence;
  Split split;
  const DebianPackage* package;
  std::string_view folder;     // inside the package, searched downwards
  std::string_view extension;  // ".g722", ".wav", ".ogg"
};

// Sources of one talker follow each other.
std::span<const TalkerSource> talker_sources();

}  // namespace thimble::voice
