// vector_step MODEL N STEPS: the plain C program that VectorStepping is compared with: N environments of the runner on two pthreads
// (this one and another), a barrier before and after every step, as a learner needs it. Every environment and step: clamp six actions,
// turn them into ctrl, eight physics steps, read 25 signals as floats, check that they are finite, compute the reward, gather the
// observation twice (reached and next), start again after 500 steps. Prints environment steps per second and a checksum.
#include <math.h>
#include <mujoco/mujoco.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { JOINTS = 6, SUBSTEPS = 8, FRAME = 25, OBSERVATION = 17, LIMIT = 500 };
static const int places[OBSERVATION] = {19, 20, 0, 1, 2, 3, 4, 5, 21, 22, 23, 6, 7, 8, 9, 10, 11};

static mjModel* m;
static mjData** d;
static int n, steps;
static int* taken;
static float *actions, *frames, *reached, *next, *rewards;
static char* truncated;
static pthread_barrier_t barrier;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void read_frame(int e) {
  float* f = frames + e * FRAME;
  for (int j = 0; j < JOINTS; j++) {
    f[j] = (float)d[e]->qpos[3 + j];
    f[JOINTS + j] = (float)d[e]->qvel[3 + j];
    f[2 * JOINTS + j] = (float)d[e]->qfrc_actuator[3 + j];
  }
  for (int i = 0; i < 3; i++) {
    f[18 + i] = (float)d[e]->qpos[i];
    f[21 + i] = (float)d[e]->qvel[i];
  }
  for (int i = 0; i < FRAME; i++) if (!isfinite(f[i])) { fprintf(stderr, "not finite\n"); exit(1); }
}

static void start(int e) {
  mj_resetData(m, d[e]);
  mj_forward(m, d[e]);
  taken[e] = 0;
  read_frame(e);
}

static void observe(int e, float* into) {
  for (int i = 0; i < OBSERVATION; i++) into[e * OBSERVATION + i] = frames[e * FRAME + places[i]];
}

static void step(int e) {
  float before = frames[e * FRAME + 18], effort = 0, target[JOINTS];
  for (int u = 0; u < JOINTS; u++) {
    float a = actions[e * JOINTS + u];
    a = a < -1 ? -1 : a > 1 ? 1 : a;
    target[u] = a * (float)m->actuator_gear[6 * u];
  }
  for (int k = 0; k < SUBSTEPS; k++) {
    for (int u = 0; u < JOINTS; u++) d[e]->ctrl[u] = (double)target[u] / m->actuator_gear[6 * u];
    mj_step(m, d[e]);
  }
  for (int w = 0; w < mjNWARNING; w++) if (d[e]->warning[w].number) { fprintf(stderr, "warning %d\n", w); exit(1); }
  read_frame(e);
  for (int u = 0; u < JOINTS; u++) {
    float a = target[u] / (float)m->actuator_gear[6 * u];
    effort += a * a;
  }
  rewards[e] = (frames[e * FRAME + 18] - before) / 0.04f - 0.1f * effort;
  observe(e, reached);
  truncated[e] = ++taken[e] >= LIMIT;
  if (truncated[e]) start(e);
  observe(e, next);
}

static void* work(void* half) {
  int from = half ? n / 2 : 0, to = half ? n : n / 2;
  for (int k = 0; k < steps; k++) {
    pthread_barrier_wait(&barrier);
    for (int e = from; e < to; e++) step(e);
    pthread_barrier_wait(&barrier);
  }
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  char error[1000] = "";
  m = mj_loadXML(argv[1], 0, error, sizeof error);
  if (!m) { fprintf(stderr, "%s\n", error); return 1; }
  n = atoi(argv[2]);
  steps = atoi(argv[3]);
  d = calloc(n, sizeof *d);
  taken = calloc(n, sizeof *taken);
  actions = calloc((size_t)n * JOINTS, sizeof *actions);
  frames = calloc((size_t)n * FRAME, sizeof *frames);
  reached = calloc((size_t)n * OBSERVATION, sizeof *reached);
  next = calloc((size_t)n * OBSERVATION, sizeof *next);
  rewards = calloc(n, sizeof *rewards);
  truncated = calloc(n, 1);
  for (int e = 0; e < n; e++) {
    d[e] = mj_makeData(m);
    start(e);
  }
  pthread_barrier_init(&barrier, 0, 2);
  pthread_t other;
  pthread_create(&other, 0, work, (void*)1);
  double sum = 0, begin = now();
  for (int k = 0; k < steps; k++) {
    for (int e = 0; e < n; e++)
      for (int u = 0; u < JOINTS; u++) actions[e * JOINTS + u] = 0.5f * (float)((k / 10 + u + e) % 3 - 1);
    pthread_barrier_wait(&barrier);
    for (int e = 0; e < n / 2; e++) step(e);
    pthread_barrier_wait(&barrier);
    for (int e = 0; e < n; e++) sum += rewards[e];
  }
  printf("%.3f %.9g\n", (double)n * steps / (now() - begin), sum);
  pthread_join(other, 0);
  return 0;
}
