#include "gauge/report/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace thimble::gauge::report {
namespace {

// Told apart by most colour-blind readers too (Okabe and Ito).
constexpr std::array<const char*, 8> kColours{"#0072b2", "#e69f00", "#009e73", "#d55e00",
                                              "#cc79a7", "#56b4e9", "#8a7a00", "#555555"};
const char* colour(std::size_t series) { return kColours[series % kColours.size()]; }

constexpr double kWidth = 860, kCharacter = 6.6;  // pixels; of a letter of 12 pixels, on average

std::string cut(std::string_view text, std::size_t most) {
  std::size_t count = 0, at = 0;
  for (; at < text.size(); ++at) {
    if ((static_cast<unsigned char>(text[at]) & 0xc0) != 0x80 && count++ == most)
      return std::string(text.substr(0, at)) + "…";
  }
  return std::string(text);
}

std::string label(double x, double y, const char* anchor, std::string_view text, std::string_view more = {}) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y, anchor, more,
                     escaped(text));
}

std::string line(double x1, double y1, double x2, double y2) {
  return fmt::format("<line stroke=\"#e1e1e1\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", x1, y1, x2,
                     y2);
}

std::string picture(double height, const std::string& body) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "font-size=\"12\" font-family=\"sans-serif\" fill=\"#222\">\n<rect width=\"100%\" height=\"100%\" "
      "fill=\"#fff\"/>\n"
      "{2}</svg>\n",
      kWidth, height, body);
}

std::string legend(const std::vector<std::string>& series, double x, double y) {
  std::string out;
  for (std::size_t i = 0; i < series.size(); ++i) {
    const std::string name = cut(series[i], 44);
    const double wide = 24 + kCharacter * static_cast<double>(name.size());
    if (x + wide > kWidth && i > 0) {
      x = 10;
      y += 18;
    }
    out +=
        fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"10\" height=\"10\" fill=\"{}\"/>\n", x, y - 9, colour(i));
    out += label(x + 14, y, "start", name);
    x += wide + 6;
  }
  return out;
}
double legend_height(const std::vector<std::string>& series) {
  double x = 10, height = 26;
  for (const std::string& name : series) {
    x += 30 + kCharacter * static_cast<double>(cut(name, 44).size());
    if (x > kWidth) {
      height += 18;
      x = 10 + 30 + kCharacter * static_cast<double>(cut(name, 44).size());
    }
  }
  return height;
}

std::string power(int exponent) {
  if (exponent >= -3 && exponent < 3) return fmt::format("{:g}", std::pow(10, exponent));
  constexpr std::array<const char*, 5> kNames{"", "k", "M", "G", "T"};
  if (exponent >= 3 && exponent < 15)
    return fmt::format("{:g}{}", std::pow(10, exponent % 3), kNames[static_cast<std::size_t>(exponent / 3)]);
  return fmt::format("1e{}", exponent);
}

struct Decades {
  int low = 0, high = 1;
  double from = 0, to = 0;
  double place(double v) const { return from + (to - from) * (std::log10(v) - low) / static_cast<double>(high - low); }
};

Decades decades(double least, double most, double from, double to) {
  Decades d{static_cast<int>(std::floor(std::log10(least))), static_cast<int>(std::ceil(std::log10(most))), from, to};
  if (d.high == d.low) ++d.high;
  return d;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string scatter(const std::string& x_label, const std::string& y_label, const std::vector<std::string>& series,
                    const std::vector<Mark>& marks) {
  if (marks.empty()) return {};
  const double top = legend_height(series), height = top + 440, left = 70, right = kWidth - 20, bottom = height - 50;
  const auto [x0, x1] = std::ranges::minmax(marks, {}, &Mark::x);
  const auto [y0, y1] = std::ranges::minmax(marks, {}, &Mark::y);
  const Decades x = decades(x0.x, x1.x, left, right), y = decades(y0.y, y1.y, bottom, top + 8);
  std::string body = legend(series, 10, 16);
  for (int e = x.low; e <= x.high; ++e) {
    const double at = x.place(std::pow(10, e));
    body += line(at, top + 8, at, bottom) + label(at, bottom + 18, "middle", power(e));
  }
  for (int e = y.low; e <= y.high; ++e) {
    const double at = y.place(std::pow(10, e));
    body += line(left, at, right, at) + label(left - 8, at + 4, "end", power(e));
  }
  body += label((left + right) / 2, height - 12, "middle", x_label);
  const double middle = (top + bottom) / 2;
  body += label(16, middle, "middle", y_label, fmt::format(" transform=\"rotate(-90 16 {:.1f})\"", middle));
  for (const Mark& m : marks) {
    body += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\" fill=\"{}\" fill-opacity=\"0.75\"><title>{}</title></circle>\n",
        x.place(m.x), y.place(m.y), colour(m.series), escaped(m.title));
  }
  return picture(height, body);
}

std::string bars(const std::vector<std::string>& series, const std::vector<Bar>& rows, const std::string& unit,
                 bool grouped, bool log) {
  if (rows.empty()) return {};
  const bool named = series.size() > 1;
  const double top = named ? legend_height(series) : 6, each = grouped ? 9 : 14,
               row_height = grouped ? each * static_cast<double>(series.size()) + 8 : 20, left = 250,
               right = kWidth - 90, height = top + row_height * static_cast<double>(rows.size()) + 30;
  double most = 0, least = INFINITY;
  for (const Bar& row : rows) {
    double sum = 0;
    for (const double v : row.values) {
      sum = grouped ? std::max(sum, v) : sum + v;
      if (v > 0) least = std::min(least, v);
    }
    most = std::max(most, sum);
  }
  if (most <= 0) most = 1;
  if (!std::isfinite(least)) least = most / 10;
  const Decades d = decades(least, most, left, right);
  const auto place = [&](double v) {
    return log ? std::max(left + 2, d.place(std::max(v, least))) : left + (right - left) * v / most;
  };
  std::string body = named ? legend(series, 10, 16) : "";
  if (log) {
    for (int e = d.low; e <= d.high; ++e) {
      const double at = d.place(std::pow(10, e));
      body += line(at, top, at, height - 26) + label(at, height - 10, "middle", power(e));
    }
  }
  body += label(right + 36, height - 10, "start", unit);
  double y = top;
  for (const Bar& row : rows) {
    body += label(left - 8, y + row_height / 2 + 2, "end", cut(row.label, 33));
    double from = left, sum = 0, at = y + 2;
    for (std::size_t i = 0; i < row.values.size(); ++i) {
      const double v = row.values[i];
      if (v > 0) {
        const double begin = grouped ? left : from, end = grouped ? place(v) : place(sum + v);
        body += fmt::format(
            "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"><title>{}</title></rect>\n",
            begin, at, std::max(0.5, end - begin), each - 1, colour(i),
            escaped(i < row.titles.size() ? row.titles[i] : row.label));
        from = end;
        sum += v;
      }
      if (grouped) at += each;
    }
    if (!grouped) body += label(from + 5, y + row_height / 2 + 2, "start", fmt::format("{:g}", sum));
    y += row_height;
  }
  return picture(height, body);
}

std::string matrix(const std::vector<std::string>& names, const std::vector<Square>& squares) {
  if (names.empty()) return {};
  const auto n = static_cast<double>(names.size());
  const double left = 250, top = 150, side = std::clamp((kWidth - left - 20) / n, 6.0, 26.0);
  std::string body;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const double at = side * (static_cast<double>(i) + 0.5) + 4;
    body += label(left - 6, top + at, "end", cut(names[i], 33));
    const double x = left + at, y = top - 6;
    body += label(x, y, "start", cut(names[i], 26), fmt::format(" transform=\"rotate(-60 {:.1f} {:.1f})\"", x, y));
  }
  for (double i = 0; i <= n; ++i) {
    body += line(left, top + i * side, left + n * side, top + i * side);
    body += line(left + i * side, top, left + i * side, top + n * side);
  }
  for (const Square& s : squares) {
    body += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"#0072b2\" "
        "fill-opacity=\"{:.3f}\"><title>{}</title></rect>\n",
        left + side * static_cast<double>(s.column), top + side * static_cast<double>(s.row), side, side,
        0.08 + 0.92 * std::clamp(s.value, 0.0, 1.0), escaped(s.title));
  }
  return picture(top + n * side + 10, body);
}

std::string circle(const std::vector<std::string>& names, const std::vector<std::string>& series,
                   const std::vector<Edge>& edges) {
  if (names.empty()) return {};
  const double top = legend_height(series), radius = std::clamp(7.0 * static_cast<double>(names.size()), 90.0, 330.0),
               x = kWidth / 2, y = top + radius + 30;
  const auto at = [&](std::size_t i, double r) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(names.size());
    return std::pair{x + r * std::cos(angle), y + r * std::sin(angle)};
  };
  std::string body = legend(series, 10, 16);
  for (const Edge& e : edges) {
    const auto [ax, ay] = at(e.a, radius);
    const auto [bx, by] = at(e.b, radius);
    body += fmt::format(
        "<path d=\"M{:.1f} {:.1f}Q{:.1f} {:.1f} {:.1f} {:.1f}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{:.1f}\" "
        "stroke-opacity=\"0.7\"><title>{}</title></path>\n",
        ax, ay, (ax + bx) / 4 + x / 2, (ay + by) / 4 + y / 2, bx, by, colour(e.series),
        1 + 4 * std::clamp(e.weight, 0.0, 1.0), escaped(e.title));
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto [px, py] = at(i, radius);
    const auto [tx, ty] = at(i, radius + 9);
    body += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"#333\"><title>{}</title></circle>\n", px,
                        py, escaped(names[i]));
    body += label(tx, ty + 4, tx < x - 1 ? "end" : "start", cut(names[i], 24));
  }
  return picture(y + radius + 30, body);
}

}  // namespace thimble::gauge::report
