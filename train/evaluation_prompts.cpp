#include "train/evaluation_prompts.h"

namespace thimble::train {

std::vector<std::string> new_wordings() {
  return {
      "smiling face with sunglasses please",
      "draw me a red apple in glossy style",
      "one slice of pizza, flat look",
      "a shiny 3d rocket",
      "cat face with tears of joy on a green ground",
      "picture of a yellow banana, noto look",
      "a big red heart in 3d",
      "an owl, flat, on a purple background",
      "a soccer ball for me, glossy",
      "the crescent moon in twemoji look",
      "a hamburger, shiny and round",
      "little red car, flat style, on yellow",
      "a green four leaf clover in 3d style",
      "birthday cake with candles, glossy",
      "a dog face, twemoji, on a blue background",
      "snowman without snow in noto style",
      "a sad crying face, 3d",
      "some purple grapes in flat style",
      "the sun with a face, glossy look",
      "a fox looking at you, flat",
      "a blue butterfly in 3d",
      "fire, noto, on a black background",
      "an octopus in glossy style on orange",
      "a violin in the style of twemoji",
  };
}

std::vector<std::string> compositions() {
  return {
      "a cat with sunglasses",
      "a blue banana",
      "a green heart with a smile",
      "a pink elephant",
      "a dog with a party hat",
      "a purple apple",
      "a smiling pizza",
      "a bear with a crown",
      "a golden rocket on a pink background",
      "a red frog",
      "an owl with a top hat",
      "a crying sun",
      "a rainbow coloured fish",
      "a face with a moustache and a hat",
      "a black and white tomato",
      "a snowman with sunglasses",
  };
}

}  // namespace thimble::train
