// Four pictures of one sentence, in C++.
//
//   02_generate "a red heart" heart [MODEL]      writes heart-1.png to heart-4.png
#include <cstdio>

#include "api/thimble.hpp"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s PROMPT STEM [MODEL]\n", argv[0]);
    return 2;
  }
  try {
    thimble::c::Model model(argc > 3 ? argv[3] : "");
    std::printf("%s, licence %s, %d pixels per side\n", model.name().c_str(), model.licence().c_str(),
                model.image_size());
    for (int seed = 1; seed <= 4; ++seed) {
      thimble::c::GenerateOptions options;
      options.seed = static_cast<std::uint64_t>(seed);
      options.guidance = 3.0;
      const std::string path = std::string(argv[2]) + "-" + std::to_string(seed) + ".png";
      model.generate(argv[1], options).save(path);
      std::printf("%s\n", path.c_str());
    }
  } catch (const thimble::c::Failure& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return 2;
  }
  return 0;
}
