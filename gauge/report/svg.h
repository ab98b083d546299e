// Charts of a report as SVG inside its page: every mark carries a title that tells its name and number when it is
// pointed at. Texts are escaped here. Charts as files, without titles, are plot/chart.h's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace thimble::gauge::report {

// & < > " ' for HTML and SVG, in text and in quoted attributes.
std::string escaped(std::string_view text);

struct Mark {
  double x = 0, y = 0;  // both above zero
  std::size_t series = 0;
  std::string title{};  // when pointed at
};
// Both axes logarithmic.
std::string scatter(const std::string& x_label, const std::string& y_label, const std::vector<std::string>& series,
                    const std::vector<Mark>& marks);

struct Bar {
  std::string label{};
  std::vector<double> values{};  // one a series, none below zero; drawn end to end, or in rows when `grouped`
  std::vector<std::string> titles{};
};
std::string bars(const std::vector<std::string>& series, const std::vector<Bar>& rows, const std::string& unit,
                 bool grouped, bool log);

struct Square {
  std::size_t row = 0, column = 0;
  double value = 0;  // 0 to 1
  std::string title{};
};
std::string matrix(const std::vector<std::string>& names, const std::vector<Square>& squares);

struct Edge {
  std::size_t a = 0, b = 0, series = 0;
  double weight = 0;  // 0 to 1
  std::string title{};
};
// Names on a circle, edges between them.
std::string circle(const std::vector<std::string>& names, const std::vector<std::string>& series,
                   const std::vector<Edge>& edges);

}  // namespace thimble::gauge::report
