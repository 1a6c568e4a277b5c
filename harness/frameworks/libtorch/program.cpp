// Runs a package once and writes what comes out.
//
//   program PACKAGE OUT THREADS INPUT...      an input: f32:16x3x64x64:FILE or i64:4x128:FILE, raw values
//
// OUT-0.f32, OUT-1.f32 ... get the outputs as raw fp32; a line on stdout for each: its shape, 16x10.

#include "package.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

static int failed(const std::string& why) {
  std::fprintf(stderr, "program: %s\n", why.c_str());
  return 2;
}

int main(int count, char** given) {
  if (count < 5) return failed("PACKAGE OUT THREADS INPUT... are needed");
  void* package = package_load(given[1], std::atoi(given[3]));
  if (!package) return failed(package_error());
  std::vector<std::vector<char>> kept(count - 4);
  for (int index = 4; index < count; ++index) {
    std::string type, axis, path, input = given[index];
    std::stringstream parts(input);
    std::string shape_text;
    std::getline(parts, type, ':');
    std::getline(parts, shape_text, ':');
    std::getline(parts, path);
    if (type != "f32" && type != "i64") return failed(input + " is not f32:SHAPE:FILE or i64:SHAPE:FILE");
    std::vector<int64_t> shape;
    std::stringstream axes(shape_text);
    size_t values = 1;
    while (std::getline(axes, axis, 'x')) {
      shape.push_back(std::atoll(axis.c_str()));
      values *= shape.back();
    }
    std::ifstream file(path, std::ios::binary);
    auto& data = kept[index - 4];
    data.assign(std::istreambuf_iterator<char>(file), {});
    const bool whole = type == "i64";
    if (data.size() != values * (whole ? 8 : 4)) return failed(path + " does not hold " + shape_text + " values");
    if (package_feed(package, 0, data.data(), whole, shape.data(), shape.size())) return failed(package_error());
  }
  if (package_run(package, 0, 1)) return failed(package_error());
  for (int index = 0; index < package_outputs(package); ++index) {
    int64_t shape[8];
    int dimensions = 0;
    const float* data = package_output(package, index, shape, &dimensions);
    if (!data) return failed(package_error());
    size_t values = 1;
    std::string line;
    for (int axis = 0; axis < dimensions; ++axis) {
      values *= shape[axis];
      line += (axis ? "x" : "") + std::to_string(shape[axis]);
    }
    std::ofstream(given[2] + ("-" + std::to_string(index) + ".f32"), std::ios::binary)
        .write(reinterpret_cast<const char*>(data), values * sizeof(float));
    std::printf("%s\n", line.c_str());
  }
  package_free(package);
  return 0;
}
