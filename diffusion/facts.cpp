#include "diffusion/facts.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "diffusion/samplers/sampler.h"

namespace thimble::diffusion {
namespace {

class Reader {
 public:
  Reader(const Json& json, std::string_view what) : json_(json), what_(what) {}

  double number(const char* key, double otherwise, double low, double high) const {
    if (!json_.contains(key)) return otherwise;
    return bounded(get_double(json_, key, what_), key, low, high);
  }
  int integer(const char* key, int otherwise, int low, int high) const {
    if (!json_.contains(key)) return otherwise;
    return static_cast<int>(bounded(static_cast<double>(get_int(json_, key, what_)), key, low, high));
  }
  std::string text(const char* key, std::string otherwise) const {
    return json_.contains(key) ? get_string(json_, key, what_) : std::move(otherwise);
  }
  std::vector<double> numbers(const char* key, std::vector<double> otherwise, double low, double high) const {
    if (!json_.contains(key)) return otherwise;
    std::vector<double> values;
    for (const Json& v : get_array(json_, key, what_)) {
      if (!v.is_number()) fail(ErrorKind::bad_file, "{}: '{}' must hold numbers", what_, key);
      values.push_back(bounded(v.get<double>(), key, low, high));
    }
    if (values.empty() || values.size() > 4096) {
      fail(ErrorKind::bad_file, "{}: '{}' has {} values, 1 to 4096 were wanted", what_, key, values.size());
    }
    return values;
  }
  bool flag(const char* key, bool otherwise) const {
    if (!json_.contains(key)) return otherwise;
    const Json& v = json_[key];
    if (!v.is_boolean()) fail(ErrorKind::bad_file, "{}: '{}' must be true or false", what_, key);
    return v.get<bool>();
  }

 private:
  double bounded(double value, const char* key, double low, double high) const {
    if (!(value >= low && value <= high)) {
      fail(ErrorKind::bad_file, "{}: '{}' must be between {} and {}, {} came", what_, key, low, high, value);
    }
    return value;
  }

  const Json& json_;
  std::string what_;
};

std::vector<float> to_floats(const std::vector<double>& values) { return {values.begin(), values.end()}; }
std::vector<double> to_doubles(const std::vector<float>& values) { return {values.begin(), values.end()}; }

ScheduleConfig schedule_from_json(const Json& json, std::string_view what) {
  const Reader r(json, what);
  ScheduleConfig c;
  c.kind = schedule_from_string(r.text("kind", "flow"));
  c.shift = r.number("shift", c.shift, 1e-3, 1e3);
  c.time_scale = r.number("time_scale", c.time_scale, 1e-3, 1e6);
  c.train_steps = r.integer("train_steps", c.train_steps, 1, 100000);
  c.beta_start = r.number("beta_start", c.beta_start, 1e-9, 0.999);
  c.beta_end = r.number("beta_end", c.beta_end, 1e-9, 0.999);
  c.spacing = spacing_from_string(r.text("spacing", std::string(to_string(c.spacing))));
  c.steps_offset = r.integer("steps_offset", c.steps_offset, 0, 1);
  c.final_alpha_one = r.flag("final_alpha_one", c.final_alpha_one);
  return c;
}

Json to_json(const ScheduleConfig& c) {
  if (c.kind == ScheduleKind::flow) {
    return {{"kind", to_string(c.kind)}, {"shift", c.shift}, {"time_scale", c.time_scale}};
  }
  return {{"kind", to_string(c.kind)},           {"train_steps", c.train_steps},
          {"beta_start", c.beta_start},          {"beta_end", c.beta_end},
          {"spacing", to_string(c.spacing)},     {"steps_offset", c.steps_offset},
          {"final_alpha_one", c.final_alpha_one}};
}

}  // namespace

Json to_json(const Facts& f) {
  return {{"prediction", to_string(f.prediction)},
          {"schedule", to_json(f.schedule)},
          {"image_size", f.image_size},
          {"latent_shift", f.latent_shift},
          {"latent_scale", f.latent_scale},
          {"text_buckets", f.text_buckets},
          {"sampler", f.sampler},
          {"steps", f.steps},
          {"guidance", f.guidance},
          {"guidance_interval", {f.guidance_low, f.guidance_high}},
          {"guidance_rescale", f.guidance_rescale}};
}

Facts facts_from_json(const Json& json, std::string_view what) {
  const Reader r(json, what);
  Facts f;
  // An unknown name in a file is the file's fault.
  try {
    f.prediction = prediction_from_string(get_string(json, "prediction", what));
    if (json.contains("schedule")) f.schedule = schedule_from_json(get_object(json, "schedule", what), what);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::bad_input) throw;
    fail(ErrorKind::bad_file, "{}: {}", what, e.message());
  }
  if ((f.prediction == Prediction::flow) != (f.schedule.kind == ScheduleKind::flow)) {
    fail(ErrorKind::bad_file, "{}: a model that predicts {} cannot have a schedule of kind {}", what,
         to_string(f.prediction), to_string(f.schedule.kind));
  }
  get_int(json, "image_size", what);
  f.image_size = r.integer("image_size", 0, 8, 1 << 14);
  f.latent_shift = to_floats(r.numbers("latent_shift", to_doubles(f.latent_shift), -1e6, 1e6));
  f.latent_scale = to_floats(r.numbers("latent_scale", to_doubles(f.latent_scale), 1e-6, 1e6));
  std::vector<int> buckets;
  for (const double b : r.numbers("text_buckets", {f.text_buckets.begin(), f.text_buckets.end()}, 2, 1 << 14)) {
    buckets.push_back(static_cast<int>(b));
  }
  f.text_buckets = buckets;
  if (!std::is_sorted(f.text_buckets.begin(), f.text_buckets.end(), std::less_equal<>())) {
    fail(ErrorKind::bad_file, "{}: 'text_buckets' must ascend", what);
  }
  f.sampler = r.text("sampler", f.prediction == Prediction::flow ? f.sampler : "dpmpp");
  const auto table = samplers();
  const bool known = std::any_of(table.begin(), table.end(), [&](const SamplerInfo& s) {
    return s.name == f.sampler && (f.prediction == Prediction::flow ? s.flow : s.discrete);
  });
  if (!known) {
    fail(ErrorKind::bad_file, "{}: sampler '{}' does not serve a model that predicts {}", what, f.sampler,
         to_string(f.prediction));
  }
  f.steps = r.integer("steps", f.steps, 1, 1000);
  f.guidance = r.number("guidance", f.guidance, 0, 1000);
  const auto interval = r.numbers("guidance_interval", {f.guidance_low, f.guidance_high}, 0, 1);
  if (interval.size() != 2) fail(ErrorKind::bad_file, "{}: 'guidance_interval' must hold two numbers", what);
  f.guidance_low = interval[0];
  f.guidance_high = interval[1];
  f.guidance_rescale = r.number("guidance_rescale", f.guidance_rescale, 0, 1);
  return f;
}

}  // namespace thimble::diffusion
