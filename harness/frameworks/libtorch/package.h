#pragma once

#include <cstdint>

extern "C" {
const char* package_error();
void* package_load(const char* path, int threads);
void package_free(void* package);
void package_clear(void* package);
int package_feed(void* package, int batch, const void* data, int whole, const int64_t* shape, int dimensions);
int package_carry(void* package, const void* data, const int64_t* shape, int dimensions);
int package_run(void* package, int64_t first, int64_t n);
int package_outputs(void* package);
const float* package_output(void* package, int index, int64_t* shape, int* dimensions);
}
