#include "diffusion/published/published_settings.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "diffusion/published/trig_flow.h"

namespace thimble::diffusion {
namespace {

double checked_setting(double value, double low, double high, const char* what) {
  if (!(value >= low && value <= high)) {
    fail(ErrorKind::bad_input, "{} must be between {} and {}, {} came", what, low, high, value);
  }
  return value;
}

void settle_size(const PublishedFacts& facts, const media::Image& image, const PublishedOptions& options,
                 PublishedSettings& s) {
  s.width = s.height = facts.native_side;
  if (!image.empty()) {
    const double native = static_cast<double>(facts.native_side) * facts.native_side;
    const double smaller = std::min(1.0, std::sqrt(native / (static_cast<double>(image.width) * image.height)));
    const auto fitted = [&](int side) {
      const auto steps = static_cast<int>(side * smaller / facts.size_step + 1e-9);
      return std::max(1, steps) * facts.size_step;
    };
    s.width = fitted(image.width);
    s.height = fitted(image.height);
  }
  s.width = options.width.value_or(s.width);
  s.height = options.height.value_or(s.height);
  if (s.width < facts.size_step || s.height < facts.size_step || s.width > media::kMaxSide ||
      s.height > media::kMaxSide || s.width % facts.size_step != 0 || s.height % facts.size_step != 0) {
    const auto near = [&](int side) {
      return std::clamp((side + facts.size_step / 2) / facts.size_step, 1, media::kMaxSide / facts.size_step) *
             facts.size_step;
    };
    fail(ErrorKind::bad_input,
         "this model makes pictures with sides that are multiples of {} pixels; {}x{} came, {}x{} "
         "would do",
         facts.size_step, s.width, s.height, near(s.width), near(s.height));
  }
  s.latent = {s.height / facts.compression, s.width / facts.compression, facts.latent_channels};
}

// All requests of a call run through the same programs.
void check_pictures(const PublishedFacts& facts, std::span<const PublishedRequest> requests,
                    const PublishedOptions& options) {
  const bool image = !requests.front().image.empty(), mask = !requests.front().mask.empty();
  for (const PublishedRequest& r : requests) {
    if (r.image.empty() == image || r.mask.empty() == mask) {
      fail(ErrorKind::bad_input,
           "of the requests of one call, all or none come with a picture, and all or none with a mask");
    }
  }
  if (mask && !image) fail(ErrorKind::bad_input, "a mask says what to paint anew in a picture; no picture came");
  switch (facts.conditioning) {
    case Conditioning::none: break;
    case Conditioning::image:
      if (!image) fail(ErrorKind::bad_input, "this model edits a picture; none came");
      if (mask) fail(ErrorKind::bad_input, "this model edits whole pictures; it takes no mask");
      if (options.strength)
        fail(ErrorKind::bad_input,
             "this model edits by instruction and has no strength; image "
             "guidance holds it closer to the picture");
      break;
    case Conditioning::mask_and_image:
      if (!image || !mask)
        fail(ErrorKind::bad_input, "this model paints into a picture; a picture and a mask are wanted");
  }
  if (!image && options.strength) {
    fail(ErrorKind::bad_input, "strength says how far a picture is taken back into noise; no picture came");
  }
}

void settle_guidance(const PublishedFacts& facts, std::span<const PublishedRequest> requests,
                     const PublishedOptions& options, PublishedSettings& s) {
  s.guidance = checked_setting(options.guidance.value_or(facts.guidance), 0, 1000, "guidance");
  if (options.image_guidance && facts.guidance_kind != GuidanceKind::two_conditions) {
    fail(ErrorKind::bad_input, "image guidance is for models that edit by instruction");
  }
  s.image_guidance = checked_setting(options.image_guidance.value_or(facts.image_guidance), 0, 1000, "image guidance");
  switch (facts.guidance_kind) {
    case GuidanceKind::none:
      if (s.guidance > 1) fail(ErrorKind::bad_input, "this model runs without guidance; {} came", s.guidance);
      break;
    case GuidanceKind::embedded: break;
    case GuidanceKind::classifier_free: s.passes = s.guidance > 1 ? 2 : 1; break;
    case GuidanceKind::two_conditions: s.passes = s.guidance > 1 && s.image_guidance >= 1 ? 3 : 1; break;
  }
  s.negative = s.passes > 1;
  if (s.negative) return;
  for (const PublishedRequest& r : requests) {
    if (r.negative_prompt && !r.negative_prompt->empty()) {
      const bool could =
          facts.guidance_kind == GuidanceKind::classifier_free || facts.guidance_kind == GuidanceKind::two_conditions;
      fail(ErrorKind::bad_input, "a negative prompt has no effect {}",
           could ? "with guidance of 1 or less; raise it or leave the negative prompt out"
                 : "in this model, which runs without a second pass");
    }
  }
}

}  // namespace

PublishedSettings settle(const PublishedModel& model, std::span<const PublishedRequest> requests,
                         const PublishedOptions& options) {
  if (requests.empty()) fail(ErrorKind::bad_input, "nothing was asked for");
  const PublishedFacts& facts = model.facts();
  PublishedSettings s;
  check_pictures(facts, requests, options);
  settle_size(facts, requests.front().image, options, s);
  settle_guidance(facts, requests, options, s);
  s.batch = static_cast<int>(checked_setting(options.batch, 1, 64, "the batch"));
  if (options.preview_every < 1)
    fail(ErrorKind::bad_input, "previews come every 1 run or more, not {}", options.preview_every);
  s.generator = options.generator;
  s.steps = options.steps.value_or(facts.steps);
  s.scheduler = model.scheduler(options.sampler, s.width, s.height);
  s.scheduler.options.eta = checked_setting(options.eta, 0, 1, "eta");
  if (options.eta > 0 && s.scheduler.sampler != "ddim") {
    fail(ErrorKind::bad_input, "eta is for the sampler ddim, not for {}", s.scheduler.sampler);
  }
  s.levels = published_levels(s.scheduler, s.steps);

  const bool image = !requests.front().image.empty(), mask = !requests.front().mask.empty();
  s.blend = mask && facts.conditioning == Conditioning::none;
  if (image && facts.conditioning != Conditioning::image) {
    const double strength = checked_setting(options.strength.value_or(mask ? 1 : facts.strength), 0, 1, "strength");
    const int kept = std::min(static_cast<int>(s.steps * strength), s.steps);
    if (kept < 1) {
      fail(ErrorKind::bad_input, "of {} steps a strength of {} leaves none; raise either", s.steps, strength);
    }
    s.levels.erase(s.levels.begin(), s.levels.begin() + (s.steps - kept));
    s.from_picture = !mask || strength < 1;
  }
  s.draws_picture = s.blend || s.from_picture;
  for (const PublishedRequest& r : requests) {
    if (!r.noise.empty() && r.noise.size() != s.latent.elements()) {
      fail(ErrorKind::bad_input, "the noise of a picture has {}x{}x{} values here; {} came", s.latent.height,
           s.latent.width, s.latent.channels, r.noise.size());
    }
  }
  return s;
}

}  // namespace thimble::diffusion
