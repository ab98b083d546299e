#include "gauge/analysis/json.h"

namespace thimble::gauge {
namespace {

OrderedJson of(const Operations& o) {
  return {{"macs", o.macs},           {"flops", o.flops()},       {"comparisons", o.comparisons},
          {"additions", o.additions}, {"divisions", o.divisions}, {"exponentials", o.exponentials}};
}

OrderedJson of(const Guess& g) { return {{"what", g.what}, {"confidence", g.confidence}, {"evidence", g.evidence}}; }

OrderedJson of(const std::vector<Port>& ports) {
  OrderedJson out = OrderedJson::array();
  for (const Port& p : ports) out.push_back({{"name", p.name}, {"type", p.type}, {"shape", p.shape}});
  return out;
}

OrderedJson of(const std::map<std::string, TypeShare>& shares) {
  OrderedJson out = OrderedJson::object();
  for (const auto& [type, s] : shares) {
    out[type] = {{"tensors", s.tensors}, {"elements", s.elements}, {"bytes", s.bytes}};
  }
  return out;
}

}  // namespace

OrderedJson to_json(const Analysis& a) {
  OrderedJson out;
  out["path"] = a.path;
  out["format"] = a.format;
  out["version"] = a.version;
  out["opsets"] = a.opsets;
  out["producer"] = a.producer;
  out["bytes"] = a.bytes;
  out["sha256"] = a.sha256;
  out["network"] = a.canonical;
  out["metadata"] = a.metadata;
  out["graphs"] = a.graphs;
  out["inputs"] = of(a.inputs);
  out["outputs"] = of(a.outputs);
  out["operators"] = a.operators;
  out["unknown_operators"] = a.unknown;
  out["cost"] = of(a.total);
  out["cost_of_branches"] = of(a.subgraphs);
  out["layers_without_count"] = a.uncounted;
  out["parameters"] = a.parameters;
  out["weights"] = of(a.weights);
  out["activations"] = of(a.activations);
  out["quantisation"] = {{"kind", a.quantisation}, {"evidence", a.quantisation_evidence}};
  out["sparsity"] = {{"near_zero", a.near_zero},
                     {"weights", a.weight_elements},
                     {"sparse_tensors", a.sparse_tensors},
                     {"sparse_stored", a.sparse_stored},
                     {"sparse_elements", a.sparse_elements}};
  out["clustering"] = {{"tensors", a.clustered_tensors}, {"of", a.clustered_candidates}};
  out["modality"] = of(a.modality);
  out["task"] = of(a.task);
  out["imported"] = a.imported;
  out["import_stopped"] = a.import_note;
  out["notes"] = a.notes;
  out["layers"] = OrderedJson::array();
  for (const LayerReport& l : a.layers) {
    OrderedJson row{{"graph", l.graph}, {"op", l.op}, {"type", l.type}, {"name", l.name}, {"outputs", l.outputs}};
    row["parameters"] = l.parameters;
    row["cost"] = l.counted ? of(l.operations) : OrderedJson();
    out["layers"].push_back(std::move(row));
  }
  out["tensors"] = OrderedJson::array();
  for (const TensorPrint& t : a.tensors) {
    out["tensors"].push_back({{"hash", t.hash},
                              {"name", t.name},
                              {"type", t.type},
                              {"shape", t.shape},
                              {"bytes", t.bytes},
                              {"layer", t.layer}});
  }
  return out;
}

OrderedJson to_json(const std::vector<Sharing>& pairs, const std::vector<Analysis>& models) {
  OrderedJson out = OrderedJson::array();
  for (const Sharing& s : pairs) {
    out.push_back({{"a", models[s.a].path},
                   {"b", models[s.b].path},
                   {"tensors", s.tensors},
                   {"tensors_of_a", s.of_a},
                   {"tensors_of_b", s.of_b},
                   {"bytes", s.bytes},
                   {"share", s.share()},
                   {"layers_apart", s.layers_apart},
                   {"same_operators", s.same_operators},
                   {"verdict", s.verdict()}});
  }
  return out;
}

}  // namespace thimble::gauge
