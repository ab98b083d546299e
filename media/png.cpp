// PNG through libpng. libpng leaves a failing call by longjmp, so every function that calls it holds only plain
// values: nothing with a destructor is jumped over, and memory lives in the callers.
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <vector>

#include "media/internal.h"

namespace thimble::media::internal {
namespace {

struct Session {
  png_structp png = nullptr;
  png_infop info = nullptr;
  bool writing = false;
  const std::byte* data = nullptr;  // reading
  std::size_t size = 0, position = 0;
  std::string* out = nullptr;  // writing
  png_uint_32 width = 0, height = 0;
  int channels = 0;
  char message[160] = "";

  ~Session() {
    if (writing) {
      png_destroy_write_struct(&png, &info);
    } else {
      png_destroy_read_struct(&png, &info, nullptr);
    }
  }
};

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  auto* session = static_cast<Session*>(png_get_error_ptr(png));
  std::snprintf(session->message, sizeof(session->message), "%s", message);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep to, std::size_t bytes) {
  auto* session = static_cast<Session*>(png_get_io_ptr(png));
  if (session->size - session->position < bytes) png_error(png, "the file ends too early");
  std::memcpy(to, session->data + session->position, bytes);
  session->position += bytes;
}

void on_write(png_structp png, png_bytep from, std::size_t bytes) {
  auto* session = static_cast<Session*>(png_get_io_ptr(png));
  bool ok = true;
  try {
    session->out->append(reinterpret_cast<const char*>(from), bytes);
  } catch (...) {
    ok = false;
  }
  if (!ok) png_error(png, "out of memory");
}

void on_flush(png_structp) {}

bool read_header(Session& s) {
  s.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &s, on_error, on_warning);
  if (s.png == nullptr) return false;
  s.info = png_create_info_struct(s.png);
  if (s.info == nullptr) return false;
  if (setjmp(png_jmpbuf(s.png)) != 0) return false;
  png_set_read_fn(s.png, &s, on_read);
  png_set_user_limits(s.png, kMaxSide, kMaxSide);
  png_set_chunk_malloc_max(s.png, 64u << 20);
  png_set_chunk_cache_max(s.png, 64);
  png_set_keep_unknown_chunks(s.png, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
  png_read_info(s.png, s.info);
  s.width = png_get_image_width(s.png, s.info);
  s.height = png_get_image_height(s.png, s.info);
  return true;
}

// Everything becomes 8-bit grey, RGB or RGBA.
bool set_transforms(Session& s) {
  if (setjmp(png_jmpbuf(s.png)) != 0) return false;
  png_set_expand(s.png);
  png_set_scale_16(s.png);
  const int type = png_get_color_type(s.png, s.info);
  const bool transparent = png_get_valid(s.png, s.info, PNG_INFO_tRNS) != 0 || (type & PNG_COLOR_MASK_ALPHA) != 0;
  if (transparent && (type & PNG_COLOR_MASK_COLOR) == 0) png_set_gray_to_rgb(s.png);
  png_set_interlace_handling(s.png);
  png_read_update_info(s.png, s.info);
  s.channels = png_get_channels(s.png, s.info);
  return true;
}

bool read_rows(Session& s, png_bytepp rows) {
  if (setjmp(png_jmpbuf(s.png)) != 0) return false;
  png_read_image(s.png, rows);
  png_read_end(s.png, nullptr);
  return true;
}

bool write_all(Session& s, png_bytepp rows, int level) {
  s.writing = true;
  s.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &s, on_error, on_warning);
  if (s.png == nullptr) return false;
  s.info = png_create_info_struct(s.png);
  if (s.info == nullptr) return false;
  if (setjmp(png_jmpbuf(s.png)) != 0) return false;
  png_set_write_fn(s.png, &s, on_write, on_flush);
  png_set_compression_level(s.png, level);
  const int type = s.channels == 1 ? PNG_COLOR_TYPE_GRAY : s.channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_RGBA;
  png_set_IHDR(s.png, s.info, s.width, s.height, 8, type, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(s.png, s.info);
  png_write_image(s.png, rows);
  png_write_end(s.png, nullptr);
  return true;
}

std::vector<png_bytep> row_pointers(const std::uint8_t* pixels, int height, std::size_t stride) {
  std::vector<png_bytep> rows(static_cast<std::size_t>(height));
  for (std::size_t y = 0; y < rows.size(); ++y) rows[y] = const_cast<png_bytep>(pixels + y * stride);
  return rows;
}

}  // namespace

Image decode_png(std::span<const std::byte> bytes, std::string_view what) {
  Session s;
  s.data = bytes.data();
  s.size = bytes.size();
  const auto refuse = [&] {
    fail(ErrorKind::bad_file, "{}: not a readable PNG: {} (at byte {} of {})", what,
         s.message[0] != 0 ? s.message : "out of memory", s.position, s.size);
  };
  if (!read_header(s)) refuse();
  check_size(s.width, s.height, what);
  if (!set_transforms(s)) refuse();
  Image image(static_cast<int>(s.width), static_cast<int>(s.height), s.channels);
  auto rows = row_pointers(image.pixels.data(), image.height, image.offset(0, 1));
  if (!read_rows(s, rows.data())) refuse();
  return image;
}

std::string encode_png(const Image& image, const EncodeOptions& options) {
  std::string out;
  Session s;
  s.out = &out;
  s.width = static_cast<png_uint_32>(image.width);
  s.height = static_cast<png_uint_32>(image.height);
  s.channels = image.channels;
  auto rows = row_pointers(image.pixels.data(), image.height, image.offset(0, 1));
  if (!write_all(s, rows.data(), std::clamp(options.png_level, 0, 9))) {
    fail(ErrorKind::io, "cannot encode a PNG of {}x{}: {}", image.width, image.height, s.message);
  }
  return out;
}

}  // namespace thimble::media::internal
