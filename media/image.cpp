#include "media/image.h"

#include "base/error.h"

namespace thimble::media {

Image::Image(int w, int h, int c) : width(w), height(h), channels(c) {
  if (w < 1 || h < 1 || w > kMaxSide || h > kMaxSide || std::int64_t{w} * h > kMaxPixels) {
    fail(ErrorKind::bad_input, "a picture of {}x{} pixels: sides of 1..{} and at most {} pixels are possible", w, h,
         kMaxSide, kMaxPixels);
  }
  if (c != 1 && c != 3 && c != 4) fail(ErrorKind::bad_input, "a picture of {} channels: 1, 3 or 4 are possible", c);
  pixels.resize(offset(0, h));
}

}  // namespace thimble::media
