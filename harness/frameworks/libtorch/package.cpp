// What PyTorch exported, loaded and run without Python: a package of AOTInductor (.pt2, compiled code) or TorchScript.
//
// A C interface, so that the program beside this file and the harness (through ctypes) call the same code. What fails
// gives 1 or null, and package_error() says why.

#include "package.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <memory>
#include <string>
#include <vector>

namespace {

using Tensors = std::vector<at::Tensor>;

struct Package {
  std::unique_ptr<torch::inductor::AOTIModelPackageLoader> compiled;
  torch::jit::Module script;
  std::vector<Tensors> batches;
  Tensors carried;  // what a step takes after its inputs and gives, changed, after its outputs
  Tensors outputs;

  explicit Package(const std::string& path) {
    if (path.ends_with(".pt2")) {
      compiled = std::make_unique<torch::inductor::AOTIModelPackageLoader>(path);
    } else {
      script = torch::jit::load(path);
      script.eval();
    }
  }

  Tensors run(const Tensors& inputs) {
    if (compiled) return compiled->run(inputs);
    const auto found = script.forward({inputs.begin(), inputs.end()});
    if (found.isTensor()) return {found.toTensor()};
    Tensors parts;
    for (const auto& part : found.toTupleRef().elements()) parts.push_back(part.toTensor());
    return parts;
  }

  void step(const Tensors& batch) {
    if (carried.empty()) {
      outputs = run(batch);
      return;
    }
    Tensors inputs = batch;
    inputs.insert(inputs.end(), carried.begin(), carried.end());
    outputs = run(inputs);
    const auto own = outputs.end() - carried.size();
    carried.assign(own, outputs.end());
    outputs.erase(own, outputs.end());
  }
};

std::string error;

template <typename Function>
int guarded(Function function) {
  try {
    const at::InferenceMode inference;
    function();
    return 0;
  } catch (const c10::Error& failure) {
    error = failure.what_without_backtrace();
  } catch (const std::exception& failure) {
    error = failure.what();
  }
  return 1;
}

Package& own(void* package) { return *static_cast<Package*>(package); }

}  // namespace

extern "C" {

const char* package_error() { return error.c_str(); }

void* package_load(const char* path, int threads) {
  std::unique_ptr<Package> made;
  at::set_num_threads(threads);
  return guarded([&] { made = std::make_unique<Package>(path); }) ? nullptr : made.release();
}

void package_free(void* package) { delete static_cast<Package*>(package); }

// Forgets the batches that it was given, and what it carries.
void package_clear(void* package) {
  own(package).batches.clear();
  own(package).carried.clear();
}

// One more tensor that is carried from step to step, a copy of these fp32 values at the start.
int package_carry(void* package, const void* data, const int64_t* shape, int dimensions) {
  return guarded([&] {
    const auto given = at::from_blob(const_cast<void*>(data), at::IntArrayRef(shape, dimensions), at::kFloat);
    own(package).carried.push_back(given.clone());
  });
}

// One more input of a batch. The data stays the caller's, who keeps it while the package runs. whole: int64, not float.
int package_feed(void* package, int batch, const void* data, int whole, const int64_t* shape, int dimensions) {
  return guarded([&] {
    auto& batches = own(package).batches;
    if (batch >= static_cast<int>(batches.size())) batches.resize(batch + 1);
    batches[batch].push_back(at::from_blob(
        const_cast<void*>(data), at::IntArrayRef(shape, dimensions), whole ? at::kLong : at::kFloat));
  });
}

// n steps from batch `first` on, over and over; the outputs of the last are kept.
int package_run(void* package, int64_t first, int64_t n) {
  return guarded([&] {
    auto& one = own(package);
    TORCH_CHECK(!one.batches.empty(), "no batch was given");
    for (int64_t step = first; step < first + n; ++step) one.step(one.batches[step % one.batches.size()]);
  });
}

int package_outputs(void* package) { return static_cast<int>(own(package).outputs.size()); }

// Output `index` as fp32 in memory that the package keeps until the next run; its shape into `shape`, at most 8 long.
const float* package_output(void* package, int index, int64_t* shape, int* dimensions) {
  const float* data = nullptr;
  guarded([&] {
    auto& one = own(package).outputs.at(index);
    TORCH_CHECK(one.dim() <= 8, "output ", index, " has more than 8 axes");
    one = one.to(at::kFloat).contiguous();
    *dimensions = static_cast<int>(one.dim());
    for (int axis = 0; axis < one.dim(); ++axis) shape[axis] = one.size(axis);
    data = one.data_ptr<float>();
  });
  return data;
}

}  // extern "C"
