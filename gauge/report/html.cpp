// A report as one HTML page: no network, no other file. A policy in its head lets only this page's own script and style
// run (by their SHA-256), so that a name from a package that got through as markup would still do nothing.
#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "gauge/report/report.h"
#include "gauge/report/svg.h"

namespace thimble::gauge {
namespace {

using report::escaped;

// Sorts by a click on a column's head, filters rows, and tells of a value where it came from.
constexpr std::string_view kScript = R"(
for (const table of document.querySelectorAll('table')) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  const key = (row, i) => row.cells[i].dataset.v ?? row.cells[i].textContent;
  heads.forEach((head, i) => head.addEventListener('click', () => {
    const down = head.getAttribute('aria-sort') !== 'descending';
    heads.forEach(h => h.removeAttribute('aria-sort'));
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const rows = [...body.rows].map(row => [key(row, i), row.cells[i].className === 'na', row]);
    const numbers = rows.every(([k, absent]) => absent || k !== '' && !isNaN(k));
    rows.sort(([a, x], [b, y]) => x !== y ? x - y : (numbers ? a - b : a.localeCompare(b)) * (down ? -1 : 1));
    body.append(...rows.map(r => r[2]));
  }));
  body.addEventListener('mouseover', event => {
    const cell = event.target.closest('td');
    if (!cell || cell.title) return;
    const from = cell.dataset.from ?? cell.parentNode.dataset.from ?? '';
    cell.title = 'from ' + from + '\n' + heads[cell.cellIndex].title;
  });
}
for (const box of document.querySelectorAll('input')) {
  const rows = [...box.closest('section').querySelector('tbody').rows];
  box.addEventListener('input', () => {
    const wanted = box.value.toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
}
)";

constexpr std::string_view kStyle = R"(
:root { color-scheme: light; }
body { font: 14px/1.45 system-ui, sans-serif; color: #222; margin: 0 auto; padding: 0 24px 60px; max-width: 1500px; }
h1 { margin: 28px 0 4px; } h2 { margin: 36px 0 4px; border-top: 1px solid #ddd; padding-top: 18px; }
p { margin: 4px 0 10px; color: #555; max-width: 80em; }
nav a { margin-right: 14px; white-space: nowrap; } nav { line-height: 1.8; } a { color: #0060a0; }
.scroll { overflow: auto; max-height: 640px; border: 1px solid #ddd; }
table { border-collapse: collapse; font-size: 13px; } td, th { padding: 3px 9px; text-align: left; vertical-align: top; }
th { position: sticky; top: 0; background: #f1f3f5; cursor: pointer; white-space: nowrap; }
th[aria-sort=ascending]::after { content: " \25b2"; } th[aria-sort=descending]::after { content: " \25bc"; }
tbody tr:nth-child(even) { background: #fafafa; } tbody tr:hover { background: #eef5fb; }
td { max-width: 26em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
td:hover { white-space: normal; overflow-wrap: anywhere; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
td.na { color: #888; font-style: italic; max-width: 12em; }
input { margin: 0 0 8px; padding: 3px 8px; width: 22em; } small { color: #777; font-weight: normal; }
figure { margin: 16px 0 28px; } figcaption { font-weight: 600; } svg { max-width: 100%; height: auto; }
circle:hover, path:hover { stroke: #000; }
)";

// Base64 of the hash that base/file.h spells in hexadecimal.
std::string policy_hash(std::string_view text) {
  const std::string hex = sha256(std::as_bytes(std::span(text.data(), text.size())));
  std::vector<unsigned> bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<unsigned>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < left ? bytes[i + k] : 0);
    for (std::size_t k = 0; k < 4; ++k) out += k <= left ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return "'sha256-" + out + "'";
}

std::string cell_of(const Cell& cell) {
  if (cell.missing()) return fmt::format("<td class=\"na\" title=\"{0}\">n/a: {0}</td>", escaped(cell.why));
  const std::string from = cell.from.empty() ? "" : fmt::format(" data-from=\"{}\"", escaped(cell.from));
  if (std::holds_alternative<std::string>(cell.value))
    return fmt::format("<td{}>{}</td>", from, escaped(display(cell)));
  const std::string exact = fmt::format("{}", *as_number(cell));
  return fmt::format("<td class=\"n\" data-v=\"{}\"{}>{}</td>", exact, from, escaped(display(cell)));
}

std::string table_of(const Table& t, const std::string& tool, std::size_t most_rows) {
  std::string out =
      fmt::format("<section id=\"t-{}\"><h2>{} <small>{} rows</small></h2>\n", t.id, escaped(t.title), t.rows.size());
  std::string note = t.note;
  if (t.rows.size() > most_rows) {
    note += fmt::format(" The page shows the first {}; JSON and CSV have all.", most_rows);
  }
  if (!note.empty()) out += fmt::format("<p>{}</p>\n", escaped(note));
  if (t.rows.empty()) return out + "<p>No rows.</p></section>\n";
  if (t.rows.size() > 12) out += "<input type=\"search\" placeholder=\"rows that contain …\" aria-label=\"filter\">\n";
  out += "<div class=\"scroll\"><table><thead><tr>";
  for (const Column& c : t.columns) {
    const std::string unit = c.unit.empty() ? "" : fmt::format(" <small>{}</small>", escaped(c.unit));
    out += fmt::format("<th title=\"{}; {}\">{}{}</th>", escaped(c.method), escaped(tool), escaped(c.title), unit);
  }
  out += "</tr></thead>\n<tbody>\n";
  for (std::size_t r = 0; r < std::min(t.rows.size(), most_rows); ++r) {
    out += fmt::format("<tr data-from=\"{}\">", escaped(t.rows[r].source));
    for (const Cell& cell : t.rows[r].cells) out += cell_of(cell);
    out += "</tr>\n";
  }
  return out + "</tbody></table></div></section>\n";
}

Table sources_of(const Report& report) {
  Table t{.id = "sources", .title = "What this report was made from"};
  t.columns = {{"kind", "kind", "", "what it is"},
               {"path", "path", "", "as it was named"},
               {"sha256", "SHA-256", "", "of its bytes when it was read"},
               {"remark", "remark", "", "what was in it, or why it could not be read"}};
  for (const Source& s : report.sources) {
    t.add({text(s.kind), text(s.path), s.sha256.empty() ? missing("not hashed") : text(s.sha256),
           s.remark.empty() ? missing("nothing to say") : text(s.remark)},
          s.path);
  }
  return t;
}

Table methods_of(const Report& report) {
  Table t{.id = "methods", .title = "How each number was made"};
  t.columns = {{"table", "table", "", "of this report"},
               {"column", "column", "", "of that table"},
               {"unit", "unit", "", "of its numbers"},
               {"method", "method", "", "in words"}};
  for (const Table& table : report.tables) {
    for (const Column& c : table.columns) {
      t.add({text(table.title), text(c.title), c.unit.empty() ? missing("a text or a count") : text(c.unit),
             text(c.method)},
            report.tool);
    }
  }
  return t;
}

}  // namespace

std::string to_html(const Report& report, std::size_t most_rows) {
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" "
      "content=\"default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\"><title>Gauge "
      "report</title>\n<style>{}</style></head>\n<body>\n",
      policy_hash(kScript), policy_hash(kStyle), kStyle);
  out += fmt::format(
      "<h1>What AI these packages ship</h1>\n<p>Made by {}. Click a column's head to sort; point at a value to see "
      "where it "
      "came from, at a head to see how. What is not available says why.</p>\n<nav>",
      escaped(report.tool));
  const Table sources = sources_of(report), methods = methods_of(report);
  std::vector<const Table*> tables;
  for (const Table& t : report.tables) tables.push_back(&t);
  tables.push_back(&sources);
  tables.push_back(&methods);
  for (const Table* t : tables) out += fmt::format("<a href=\"#t-{}\">{}</a> ", t->id, escaped(t->title));
  out += "</nav>\n";
  // The summary first, then the charts, then all else.
  out += table_of(*tables.front(), report.tool, most_rows);
  for (const Figure& f : report.figures) {
    out += fmt::format("<figure id=\"f-{}\"><figcaption>{}</figcaption><p>{}</p>\n{}</figure>\n", f.id,
                       escaped(f.title), escaped(f.note), f.svg);
  }
  for (std::size_t i = 1; i < tables.size(); ++i) out += table_of(*tables[i], report.tool, most_rows);
  return out + fmt::format("<script>{}</script>\n</body></html>\n", kScript);
}

}  // namespace thimble::gauge
