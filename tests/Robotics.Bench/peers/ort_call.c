// The bare ONNX Runtime call through its C API: one thread, tensors bound once.
//   ort_call LIBONNXRUNTIME MODEL INPUT WIDTH OUTPUT WIDTH
// For each number N read from standard input, runs N calls and prints the nanoseconds they took.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "onnxruntime_c_api.h"

static const OrtApi *api;

static void check(OrtStatus *status) {
  if (status) {
    fprintf(stderr, "%s\n", api->GetErrorMessage(status));
    exit(1);
  }
}

static OrtValue *tensor(OrtMemoryInfo *cpu, long width) {
  float *data = calloc(width, sizeof(float));
  for (long i = 0; i < width; i++) data[i] = 0.01f * (float)i;
  int64_t shape[2] = {1, width};
  OrtValue *value;
  check(api->CreateTensorWithDataAsOrtValue(cpu, data, width * sizeof(float), shape, 2, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &value));
  return value;
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  void *library = dlopen(argv[1], RTLD_NOW);
  if (!library) { fprintf(stderr, "%s\n", dlerror()); return 1; }
  const OrtApiBase *(*base)(void) = (const OrtApiBase *(*)(void))dlsym(library, "OrtGetApiBase");
  api = base()->GetApi(ORT_API_VERSION);
  OrtEnv *env; OrtSessionOptions *options; OrtSession *session; OrtIoBinding *binding; OrtMemoryInfo *cpu; OrtRunOptions *run;
  check(api->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "peer", &env));
  check(api->CreateSessionOptions(&options));
  check(api->SetIntraOpNumThreads(options, 1));
  check(api->SetInterOpNumThreads(options, 1));
  check(api->CreateSession(env, argv[2], options, &session));
  check(api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &cpu));
  check(api->CreateRunOptions(&run));
  check(api->CreateIoBinding(session, &binding));
  check(api->BindInput(binding, argv[3], tensor(cpu, atol(argv[4]))));
  check(api->BindOutput(binding, argv[5], tensor(cpu, atol(argv[6]))));
  long calls;
  while (scanf("%ld", &calls) == 1) {
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (long i = 0; i < calls; i++) check(api->RunWithBinding(session, run, binding));
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("%lld\n", (b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec);
    fflush(stdout);
  }
  return 0;
}
