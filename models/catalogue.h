// The published text-to-picture models that Thimble runs, by name: which networks they are made of, at which sizes, and
// under which licence their weights are published. Graphs of the true size are built from here without any file.
// Not here: weights, tokenizers, how the parts are joined (diffusion/published).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "graph/graph.h"
#include "models/classes.h"

namespace thimble::models {

struct CataloguePart {
  std::string name;         // "denoiser", "vae", "text", "text-2", "text-3", "tiny-vae"
  std::string class_name;   // a row of models/classes.h
  std::vector<Role> roles;  // what is built of it: an autoencoder gives an encoder and a decoder
  Json config;
  int tokens = 0;  // that it reads; 0: none
};

struct CatalogueModel {
  std::string name;                  // "sd1.5"
  std::string title;                 // "Stable Diffusion 1.5"
  std::string licence;               // of the weights, as their publisher names it
  std::vector<int> sizes;            // pixels per side that it was made for, the first by default
  int compression = 8;               // pixels per latent cell and side
  int guided_batch = 2;              // rows of a step with its usual guidance: 2, 3 for two conditions, 1 without
  std::vector<CataloguePart> parts;  // the denoiser first
};
std::span<const CatalogueModel> catalogue();

// Null when there is none of that name.
const CatalogueModel* find_in_catalogue(std::string_view name);

// A part's graph for pictures of `pixels` a side. bad_input when the size is no multiple of what the model needs.
graph::Graph build_catalogue_part(const CatalogueModel& model, const CataloguePart& part, Role role, int pixels,
                                  int batch);

}  // namespace thimble::models
