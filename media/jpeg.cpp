// JPEG through libjpeg. As with PNG, the functions that libjpeg may leave by longjmp hold only plain values.
#include <cstddef>
#include <cstdio>

#include <jpeglib.h>
// jerror.h reads the macros of jpeglib.h.
#include <jerror.h>

#include <algorithm>
#include <csetjmp>
#include <cstdlib>

#include "media/internal.h"

namespace thimble::media::internal {
namespace {

// A crafted progressive file may ask for thousands of passes over the whole picture.
constexpr int kMaxScans = 200;

struct Errors {
  jpeg_error_mgr base;  // first: libjpeg hands back a pointer to it
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX] = "";
};

[[noreturn]] void on_error(j_common_ptr info) {
  auto* errors = reinterpret_cast<Errors*>(info->err);
  errors->base.format_message(info, errors->message);
  std::longjmp(errors->jump, 1);
}

void on_message(j_common_ptr, int) {}

void too_many_scans(j_common_ptr info) {
  if (info->is_decompressor && reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMaxScans) {
    ERREXIT(info, JERR_BAD_PROGRESSION);
  }
}

void source_nothing(j_decompress_ptr) {}
boolean source_end(j_decompress_ptr info) {
  ERREXIT(info, JERR_INPUT_EOF);
  return FALSE;
}
void source_skip(j_decompress_ptr info, long bytes) {
  if (bytes <= 0) return;
  if (static_cast<std::size_t>(bytes) > info->src->bytes_in_buffer) ERREXIT(info, JERR_INPUT_EOF);
  info->src->next_input_byte += bytes;
  info->src->bytes_in_buffer -= static_cast<std::size_t>(bytes);
}

struct Reader {
  jpeg_decompress_struct info{};
  Errors errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  Reader() {
    info.err = jpeg_std_error(&errors.base);
    errors.base.error_exit = on_error;
    errors.base.emit_message = on_message;
  }
  ~Reader() { jpeg_destroy_decompress(&info); }
};

bool read_header(Reader& r, const std::byte* data, std::size_t size) {
  if (setjmp(r.errors.jump) != 0) return false;
  jpeg_create_decompress(&r.info);
  r.source.init_source = source_nothing;
  r.source.fill_input_buffer = source_end;
  r.source.skip_input_data = source_skip;
  r.source.resync_to_restart = jpeg_resync_to_restart;
  r.source.term_source = source_nothing;
  r.source.next_input_byte = reinterpret_cast<const JOCTET*>(data);
  r.source.bytes_in_buffer = size;
  r.info.src = &r.source;
  r.progress.progress_monitor = too_many_scans;
  r.info.progress = &r.progress;
  jpeg_read_header(&r.info, TRUE);
  return true;
}

bool start(Reader& r) {
  if (setjmp(r.errors.jump) != 0) return false;
  r.info.out_color_space = r.info.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(&r.info);
  return true;
}

bool read_rows(Reader& r, std::uint8_t* pixels, std::size_t stride) {
  if (setjmp(r.errors.jump) != 0) return false;
  while (r.info.output_scanline < r.info.output_height) {
    JSAMPROW row = pixels + static_cast<std::size_t>(r.info.output_scanline) * stride;
    jpeg_read_scanlines(&r.info, &row, 1);
  }
  jpeg_finish_decompress(&r.info);
  return true;
}

struct Writer {
  jpeg_compress_struct info{};
  Errors errors{};
  unsigned char* data = nullptr;
  unsigned long size = 0;
  Writer() {
    info.err = jpeg_std_error(&errors.base);
    errors.base.error_exit = on_error;
    errors.base.emit_message = on_message;
  }
  ~Writer() {
    jpeg_destroy_compress(&info);
    std::free(data);
  }
};

bool write_all(Writer& w, const Image& image, int quality) {
  if (setjmp(w.errors.jump) != 0) return false;
  jpeg_create_compress(&w.info);
  jpeg_mem_dest(&w.info, &w.data, &w.size);
  w.info.image_width = static_cast<JDIMENSION>(image.width);
  w.info.image_height = static_cast<JDIMENSION>(image.height);
  w.info.input_components = image.channels;
  w.info.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&w.info);
  jpeg_set_quality(&w.info, quality, TRUE);
  w.info.optimize_coding = TRUE;
  jpeg_start_compress(&w.info, TRUE);
  while (w.info.next_scanline < w.info.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(image.at(0, static_cast<int>(w.info.next_scanline)));
    jpeg_write_scanlines(&w.info, &row, 1);
  }
  jpeg_finish_compress(&w.info);
  return true;
}

}  // namespace

Image decode_jpeg(std::span<const std::byte> bytes, std::string_view what) {
  Reader r;
  const auto refuse = [&] {
    fail(ErrorKind::bad_file, "{}: not a readable JPEG: {} (with {} of {} bytes left)", what, r.errors.message,
         r.source.bytes_in_buffer, bytes.size());
  };
  if (!read_header(r, bytes.data(), bytes.size())) refuse();
  check_size(r.info.image_width, r.info.image_height, what);
  if (r.info.num_components != 1 && r.info.num_components != 3) {
    fail(ErrorKind::unsupported, "{}: a JPEG of {} colour components (CMYK?); save it as RGB", what,
         r.info.num_components);
  }
  if (!start(r)) refuse();
  Image image(static_cast<int>(r.info.output_width), static_cast<int>(r.info.output_height), r.info.output_components);
  if (!read_rows(r, image.pixels.data(), image.offset(0, 1))) refuse();
  return image;
}

std::string encode_jpeg(const Image& image, const EncodeOptions& options) {
  if (image.channels == 4) {
    fail(ErrorKind::bad_input, "JPEG has no transparency: put the picture on a colour first, or choose PNG or WebP");
  }
  Writer w;
  if (!write_all(w, image, std::clamp(options.quality, 0, 100))) {
    fail(ErrorKind::io, "cannot encode a JPEG of {}x{}: {}", image.width, image.height, w.errors.message);
  }
  return std::string(reinterpret_cast<const char*>(w.data), w.size);
}

}  // namespace thimble::media::internal
