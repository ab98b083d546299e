// What models are and what they share: the scan's models joined with the analysis by their SHA-256.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "gauge/detect/names.h"
#include "gauge/report/tables.h"

namespace thimble::gauge::report {

const Json* at(const Json& object, std::initializer_list<const char*> keys) {
  const Json* here = &object;
  for (const char* key : keys) {
    if (!here->is_object()) return nullptr;
    const auto found = here->find(key);
    if (found == here->end()) return nullptr;
    here = &*found;
  }
  return here;
}

Cell number_at(const Json& object, std::initializer_list<const char*> keys, std::string_view source) {
  const Json* value = at(object, keys);
  if (value != nullptr && value->is_number_unsigned()) return number(value->get<std::uint64_t>());
  if (value != nullptr && value->is_number_integer()) return number(value->get<std::int64_t>());
  if (value != nullptr && value->is_number_float()) return number(value->get<double>());
  return missing(fmt::format("{} has no number {}", source, fmt::join(keys, ".")));
}

std::string string_at(const Json& object, std::initializer_list<const char*> keys) {
  const Json* value = at(object, keys);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

std::string short_hash(std::string_view sha256) { return std::string(sha256.substr(0, 16)); }

Cell share(double part, double whole) {
  return whole > 0 ? number(100 * part / whole) : missing("there is nothing to be a share of");
}

namespace {

const Json& list_at(const Json& object, const char* key) {
  static const Json kEmpty = Json::array();
  const Json* list = at(object, {key});
  return list != nullptr && list->is_array() ? *list : kEmpty;
}

// A model that consists of several files has another hash in an analysis than in a scan, but the same place.
std::optional<std::size_t> index_of(const Facts& facts, const std::string& hash, const std::string& place) {
  if (const auto at = facts.by_hash.find(hash); at != facts.by_hash.end()) return at->second;
  if (const auto at = facts.by_place.find(place); at != facts.by_place.end()) return at->second;
  return std::nullopt;
}

// "image 1x128x128x3 f32"
std::string ports(const Json& analysis, const char* key) {
  std::string out;
  std::size_t count = 0;
  for (const Json& port : list_at(analysis, key)) {
    if (++count > 4) return out + ", …";
    std::string sizes;
    for (const Json& size : list_at(port, "shape")) {
      if (!size.is_number_integer()) continue;
      const auto n = size.get<std::int64_t>();
      sizes += (sizes.empty() ? "" : "x") + (n < 0 ? std::string("?") : std::to_string(n));
    }
    out += fmt::format("{}{} {} {}", out.empty() ? "" : ", ", clean_text(string_at(port, {"name"}), 60), sizes,
                       string_at(port, {"type"}));
  }
  return out;
}

std::string words(const Json& list, std::size_t most) {
  std::string out;
  for (const Json& item : list) {
    if (most-- == 0) return out + "; …";
    if (item.is_string()) out += (out.empty() ? "" : "; ") + item.get<std::string>();
  }
  return out;
}

// The analysis' cells of one model, all missing with the reason when it has none.
class AnalysisCells {
 public:
  AnalysisCells(const ModelFacts& model, const ReportInputs& inputs)
      : model_(model), source_(clean_text(inputs.analysis_source)) {
    why_ = !inputs.analysis ? inputs.no_analysis
                            : fmt::format("{} has no model with this SHA-256 (format {})", source_, model.format);
  }
  Cell number_of(std::initializer_list<const char*> keys) const {
    if (model_.analysis == nullptr) return missing(why_);
    Cell cell = number_at(*model_.analysis, keys, source_);
    cell.from = source_;
    return cell;
  }
  Cell text_of(const std::string& value, const char* none) const {
    if (model_.analysis == nullptr) return missing(why_);
    return value.empty() || value == "unknown" ? missing(none) : text(value, source_);
  }
  Cell share_of(std::initializer_list<const char*> part, std::initializer_list<const char*> whole,
                const char* none) const {
    if (model_.analysis == nullptr) return missing(why_);
    const Json *a = at(*model_.analysis, part), *b = at(*model_.analysis, whole);
    if (a == nullptr || b == nullptr || !a->is_number() || !b->is_number() || b->get<double>() <= 0)
      return missing(none);
    Cell cell = number(100 * a->get<double>() / b->get<double>());
    cell.from = source_;
    return cell;
  }
  // Costs that are sums over layers, of which some have no count, are marked where they come from.
  Cell cost_of(const char* what) const {
    Cell cell = number_of({"cost", what});
    if (cell.missing()) return cell;
    const Json* open = at(*model_.analysis, {"layers_without_count"});
    if (open != nullptr && open->is_number() && open->get<double>() > 0) {
      cell.from = fmt::format("{}; a lower bound, {} layers have no count", source_, open->get<std::int64_t>());
    }
    return cell;
  }
  const Json* json() const { return model_.analysis; }

 private:
  const ModelFacts& model_;
  std::string source_, why_;
};

void models(Report& report, const Facts& facts, const ReportInputs& inputs) {
  Table t{.id = "models",
          .title = "Models",
          .note = "One row for each different model, by the bytes it consists of; most copies first."};
  t.columns = {
      {"name", "model", "", "name of its file; of several copies the one that says most"},
      {"format", "format", "", "the probe that accepted it"},
      {"size", "size", "bytes", "of its bytes"},
      {"copies", "copies", "", "places in all packages"},
      {"packages", "packages", "", "that hold it"},
      {"parameters", "parameters", "", "elements of all constants, small shape constants among them"},
      {"macs", "MACs", "", "multiply-adds of one inference by shape rules"},
      {"flops", "FLOPs", "", "2 MACs + comparisons + additions + divisions + exponentials"},
      {"latency", "latency", "ms", "lowest median over the benchmarks given"},
      {"modality", "modality", "", "scored rules over inputs, operators and names"},
      {"task", "task", "", "scored rules over inputs, outputs, operators and names"},
      {"confidence", "score", "", "of the task's rule: orders guesses, is no probability"},
      {"evidence", "because", "", "the facts that spoke for the task"},
      {"quantisation", "quantisation", "", "by bytes of weights a type and by types of activations"},
      {"near_zero", "near zero", "%", "of floating weights, those under 1e-9"},
      {"density", "density", "%", "stored share of tensors in a sparse format"},
      {"clustered", "clustered", "%", "of floating tensors of 4096 or more elements, those with at most 256 values"},
      {"inputs", "inputs", "", "names, sizes, types"},
      {"outputs", "outputs", "", "names, sizes, types"},
      {"imported", "import", "", "whether it becomes a graph of Thimble"},
      {"operators", "operators", "", "the probe's count, all graphs"},
      {"version", "version", "", "of the format, as the file says"},
      {"found_by", "found by", "", "suffix, signature, content or carving"},
      {"sha256", "SHA-256", "", "of its bytes"},
  };
  for (const ModelFacts& m : facts.models) {
    const AnalysisCells a(m, inputs);
    const Json none = Json::object();
    const Json& json = a.json() == nullptr ? none : *a.json();
    Cell parameters = a.number_of({"parameters"});
    if (parameters.missing()) {
      parameters = number(m.parameters, facts.database + ", the probe's count");
    }
    Cell latency =
        m.latency_ms ? number(*m.latency_ms, m.latency_from) : missing("no benchmark of this model was given");
    const Json* imported = at(json, {"imported"});
    const std::string import = imported == nullptr || !imported->is_boolean() ? ""
                               : imported->get<bool>()                        ? "whole"
                                                       : "no: " + string_at(json, {"import_stopped"});
    const Json* because = at(json, {"task", "evidence"});
    t.add({text(m.name),
           text(m.format),
           number(m.size),
           number(m.copies),
           number(m.packages),
           std::move(parameters),
           a.cost_of("macs"),
           a.cost_of("flops"),
           std::move(latency),
           a.text_of(string_at(json, {"modality", "what"}), "no rule spoke for any modality"),
           a.text_of(string_at(json, {"task", "what"}), "no rule spoke for any task"),
           a.number_of({"task", "confidence"}),
           a.text_of(because == nullptr ? "" : words(*because, 4), "no rule spoke for any task"),
           a.text_of(string_at(json, {"quantisation", "kind"}), "the analysis tells none"),
           a.share_of({"sparsity", "near_zero"}, {"sparsity", "weights"}, "no floating weights"),
           a.share_of({"sparsity", "sparse_stored"}, {"sparsity", "sparse_elements"}, "no tensor in a sparse format"),
           a.share_of({"clustering", "tensors"}, {"clustering", "of"}, "no floating tensor of 4096 elements"),
           a.text_of(ports(json, "inputs"), "the file names none"),
           a.text_of(ports(json, "outputs"), "the file names none"),
           a.text_of(import, "the analysis does not say"),
           number(m.operators),
           m.version == 0 ? missing("the format has none") : number(m.version),
           text(m.found_by),
           text(m.sha256)},
          m.place);
  }
  report.tables.push_back(std::move(t));
}

// Counts by a text column of table models, twice: different models and places.
void shares(Report& report, const std::string& id, const char* title, const char* column, const char* note) {
  const Table& models = *report.find("models");
  const std::size_t key = models.column(column), copies = models.column("copies");
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> sums;
  std::int64_t unique = 0, places = 0, without = 0;
  std::string why;
  for (const Row& row : models.rows) {
    const auto* name = std::get_if<std::string>(&row.cells[key].value);
    const std::int64_t n = std::get<std::int64_t>(row.cells[copies].value);
    if (name == nullptr) {
      ++without;
      why = row.cells[key].why;
      continue;
    }
    ++sums[*name].first;
    sums[*name].second += n;
    ++unique;
    places += n;
  }
  Table t{.id = id, .title = title, .note = note};
  if (without > 0) t.note += fmt::format(" {} different models have none ({}).", without, why);
  t.columns = {{"name", column, "", "column " + std::string(column) + " of table models"},
               {"unique", "different models", "", "by SHA-256"},
               {"unique_share", "share", "%", "of different models that have one"},
               {"places", "places", "", "copies included"},
               {"places_share", "share of places", "%", "of places whose model has one"}};
  for (const auto& [name, sum] : sums) {
    t.add({text(name), number(sum.first), share(static_cast<double>(sum.first), static_cast<double>(unique)),
           number(sum.second), share(static_cast<double>(sum.second), static_cast<double>(places))},
          "table models of this report");
  }
  std::ranges::stable_sort(t.rows, [](const Row& a, const Row& b) { return a.cells[1].value > b.cells[1].value; });
  report.tables.push_back(std::move(t));
}

void duplicates(Report& report, const Facts& facts) {
  Table t{
      .id = "duplicates", .title = "The same model in several packages", .note = "Identical bytes, whatever the name."};
  t.columns = {{"name", "model", "", "as in table models"},
               {"format", "format", "", "as in table models"},
               {"packages", "packages", "", "that hold it"},
               {"copies", "copies", "", "places in all packages"},
               {"wasted", "bytes again", "bytes", "size times copies after the first"},
               {"sha256", "SHA-256", "", "of its bytes"}};
  for (const ModelFacts& m : facts.models) {
    if (m.packages < 2) continue;
    t.add({text(m.name), text(m.format), number(m.packages), number(m.copies), number(m.size * (m.copies - 1)),
           text(m.sha256)},
          facts.database + ", table models");
  }
  report.tables.push_back(std::move(t));
}

void shared_weights(Report& report, const Facts& facts, const ReportInputs& inputs) {
  Table t{.id = "sharing",
          .title = "Models that share weights",
          .note = "Pairs of different files with common constants of 64 bytes or more, or the same operators."};
  t.columns = {{"a", "model", "", "as in table models"},
               {"b", "and", "", "as in table models"},
               {"verdict", "are", "", "docs/gauge.md, sharing"},
               {"tensors", "tensors", "", "common constants: type, shape and bytes hashed, multisets intersected"},
               {"bytes", "bytes", "bytes", "of the common constants"},
               {"share", "share", "%", "of the smaller one's constants, by bytes"},
               {"layers_apart", "layers apart", "", "operators of the first whose weights the second lacks"},
               {"sha256_a", "SHA-256", "", "of the first"},
               {"sha256_b", "SHA-256 of the other", "", "of the second"}};
  if (!inputs.analysis) {
    t.note += fmt::format(" Not available: {}.", clean_text(inputs.no_analysis));
    report.tables.push_back(std::move(t));
    return;
  }
  std::map<std::string, const Json*> by_path;
  for (const Json& m : list_at(*inputs.analysis, "models")) by_path[string_at(m, {"path"})] = &m;
  std::set<std::pair<std::string, std::string>> seen;
  for (const Json& pair : list_at(*inputs.analysis, "sharing")) {
    const auto a = by_path.find(string_at(pair, {"a"})), b = by_path.find(string_at(pair, {"b"}));
    if (a == by_path.end() || b == by_path.end()) continue;
    std::string first = string_at(*a->second, {"sha256"}), second = string_at(*b->second, {"sha256"});
    const std::string verdict = string_at(pair, {"verdict"});
    if (first == second || !seen.emplace(std::min(first, second), std::max(first, second)).second) continue;
    const auto name_of = [&](const std::string& hash, const std::string& path) {
      const auto known = index_of(facts, hash, path);
      return known ? facts.models[*known].name : std::string(base_name(path));
    };
    const std::string source = clean_text(inputs.analysis_source);
    Cell part = number_at(pair, {"share"}, source);
    if (auto* value = std::get_if<double>(&part.value)) *value *= 100;
    t.add({text(name_of(first, a->first)), text(name_of(second, b->first)),
           verdict.empty() ? missing("the analysis tells none") : text(verdict), number_at(pair, {"tensors"}, source),
           number_at(pair, {"bytes"}, source), std::move(part), number_at(pair, {"layers_apart"}, source), text(first),
           text(second)},
          source);
  }
  const std::size_t bytes = t.column("bytes");
  std::ranges::stable_sort(t.rows,
                           [&](const Row& x, const Row& y) { return x.cells[bytes].value > y.cells[bytes].value; });
  report.tables.push_back(std::move(t));
}

}  // namespace

void join_analysis(Facts& facts, const Json& analysis) {
  for (const Json& m : list_at(analysis, "models")) {
    const auto known = index_of(facts, string_at(m, {"sha256"}), string_at(m, {"path"}));
    if (known) facts.models[*known].analysis = &m;
  }
}

void add_model_tables(Report& report, const Facts& facts, const ReportInputs& inputs) {
  models(report, facts, inputs);
  shares(report, "tasks", "Tasks", "task", "What models are for, by rules that each name their evidence.");
  shares(report, "modalities", "Modalities", "modality", "What models look at.");
  shares(report, "quantisation", "Quantisation", "quantisation", "How weights and activations are stored.");
  duplicates(report, facts);
  shared_weights(report, facts, inputs);
}

}  // namespace thimble::gauge::report
