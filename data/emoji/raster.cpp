#include "data/emoji/raster.h"

#include <cairo.h>
#include <librsvg/rsvg.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "media/transform.h"

namespace thimble::data {
namespace {

struct ErrorHolder {
  GError* error = nullptr;
  ~ErrorHolder() { g_clear_error(&error); }
};

struct Unref {
  void operator()(RsvgHandle* p) const { g_object_unref(p); }
  void operator()(cairo_surface_t* p) const { cairo_surface_destroy(p); }
  void operator()(cairo_t* p) const { cairo_destroy(p); }
};

}  // namespace

media::Image draw_svg(std::string_view svg, int side, int margin, std::string_view what) {
  ErrorHolder error;
  const auto refuse = [&](const char* stage) {
    fail(ErrorKind::bad_file, "{}: cannot {} this SVG: {}", what, stage,
         error.error != nullptr ? error.error->message : "no reason given");
  };
  // Without a base address the document cannot refer to other files.
  const std::unique_ptr<RsvgHandle, Unref> handle(
      rsvg_handle_new_from_data(reinterpret_cast<const guint8*>(svg.data()), svg.size(), &error.error));
  if (!handle) refuse("read");
  const std::unique_ptr<cairo_surface_t, Unref> surface(cairo_image_surface_create(CAIRO_FORMAT_ARGB32, side, side));
  const std::unique_ptr<cairo_t, Unref> cairo(cairo_create(surface.get()));
  const double box = side - 2 * margin;
  const RsvgRectangle viewport{static_cast<double>(margin), static_cast<double>(margin), box, box};
  if (!rsvg_handle_render_document(handle.get(), cairo.get(), &viewport, &error.error)) refuse("draw");
  if (cairo_status(cairo.get()) != CAIRO_STATUS_SUCCESS) {
    fail(ErrorKind::bad_file, "{}: cannot draw this SVG: {}", what, cairo_status_to_string(cairo_status(cairo.get())));
  }
  cairo_surface_flush(surface.get());

  media::Image image(side, side, 4);
  const unsigned char* data = cairo_image_surface_get_data(surface.get());
  const int stride = cairo_image_surface_get_stride(surface.get());
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      std::uint32_t argb;  // premultiplied, in the machine's byte order
      std::memcpy(&argb, data + y * stride + x * 4, 4);
      std::uint8_t* to = image.at(x, y);
      for (int c = 0; c < 4; ++c) to[c] = static_cast<std::uint8_t>(argb >> (c == 3 ? 24 : 16 - 8 * c));
    }
  }
  return media::unpremultiply(image);
}

media::Image fit_picture(const media::Image& picture, int side, int margin) {
  const int box = side - 2 * margin;
  const double scale = static_cast<double>(box) / std::max(picture.width, picture.height);
  const int width = std::max(1, static_cast<int>(picture.width * scale + 0.5));
  const int height = std::max(1, static_cast<int>(picture.height * scale + 0.5));
  media::Image out(side, side, 4);
  media::draw_over(out, media::resize(media::to_channels(picture, 4), width, height), (side - width) / 2,
                   (side - height) / 2);
  return out;
}

}  // namespace thimble::data
