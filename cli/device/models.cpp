// thimble models: the published models that Thimble knows, with sizes and licences.
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "base/progress.h"
#include "cli/device/commands.h"
#include "models/catalogue.h"

namespace thimble::cli {
namespace {

std::int64_t parameters_of(const models::CatalogueModel& model, const models::CataloguePart& part) {
  // An autoencoder's two graphs have no parameter in common.
  std::int64_t count = 0;
  for (const models::Role role : part.roles) {
    count += models::build_catalogue_part(model, part, role, model.sizes.front(), 1).parameter_count();
  }
  return count;
}

void print_models(bool json) {
  Json rows = Json::array();
  if (!json) {
    fmt::print("{:<18} {:<36} {:>9} {:>9} {:>9}  {:<10} {}\n", "name", "title", "denoiser", "text", "vae", "pixels",
               "licence of the weights");
  }
  for (const models::CatalogueModel& m : models::catalogue()) {
    std::int64_t denoiser = 0, text = 0, vae = 0;
    Json parts = Json::object();
    for (const models::CataloguePart& p : m.parts) {
      const std::int64_t n = parameters_of(m, p);
      parts[p.name] = {{"class", p.class_name}, {"parameters", n}};
      if (p.name == "denoiser") denoiser = n;
      if (p.name == "vae") vae = n;
      if (p.name.starts_with("text")) text += n;
    }
    if (json) {
      rows.push_back(
          {{"name", m.name}, {"title", m.title}, {"licence", m.licence}, {"sizes", m.sizes}, {"parts", parts}});
    } else {
      const auto count = [](std::int64_t n) { return human_count(static_cast<double>(n)); };
      fmt::print("{:<18} {:<36} {:>9} {:>9} {:>9}  {:<10} {}\n", m.name, m.title, count(denoiser), count(text),
                 count(vae), fmt::format("{}", fmt::join(m.sizes, " ")), m.licence);
    }
  }
  if (json) fmt::print("{}\n", rows.dump(2));
}

}  // namespace

void add_models_command(CLI::App& app) {
  auto* c = app.add_subcommand("models", "the published models that are supported, with sizes and licences");
  auto json = std::make_shared<bool>(false);
  c->add_flag("--json", *json, "print as JSON");
  c->footer("What one costs: thimble show sd1.5, thimble show sd1.5/vae. Weights are not part of Thimble.");
  c->callback([json] { print_models(*json); });
}

}  // namespace thimble::cli
