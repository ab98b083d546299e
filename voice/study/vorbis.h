// Ogg Vorbis files to sound, with the library libvorbisfile (BSD).
#pragma once

#include <filesystem>

#include "dsp/signal.h"

namespace thimble::voice {

// bad_file, naming it, for what is no Ogg Vorbis or is damaged; its first link's rate and channels, at most 10 minutes.
dsp::Signal read_vorbis(const std::filesystem::path& path);

}  // namespace thimble::voice
