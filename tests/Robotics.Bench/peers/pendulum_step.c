// pendulum_step N STEPS: Gym's pendulum in plain C on one thread, as VectorStepping's second row does it: clamp the action, reward of the
// state before, one step in double, angle, speed, torque, cosine and sine as floats, the observation twice (reached and next), and a
// new drawn start after 200 steps. Prints environment steps per second and a checksum.
#define _GNU_SOURCE
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct { double angle, speed, sine; float frame[6]; int taken; uint64_t random; } Pendulum;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double draw(Pendulum* p) { // SplitMix64, even in [-1, 1)
  uint64_t z = p->random += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return (double)((z ^ (z >> 31)) >> 11) * (2.0 / 9007199254740992.0) - 1;
}

static void write_frame(Pendulum* p, double u) {
  double cosine;
  sincos(p->angle, &p->sine, &cosine);
  p->frame[0] = (float)p->angle;
  p->frame[1] = (float)p->speed;
  p->frame[2] = (float)u;
  p->frame[3] = (float)cosine;
  p->frame[4] = (float)p->sine;
}

static void start(Pendulum* p) {
  p->angle = M_PI * draw(p);
  p->speed = draw(p);
  p->taken = 0;
  write_frame(p, 0);
}

static void observe(const Pendulum* p, float* into) {
  into[0] = p->frame[3];
  into[1] = p->frame[4];
  into[2] = p->frame[1];
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  int n = atoi(argv[1]), steps = atoi(argv[2]);
  Pendulum* all = calloc(n, sizeof *all);
  float *actions = calloc(n, sizeof *actions), *rewards = calloc(n, sizeof *rewards);
  float *reached = calloc(3 * (size_t)n, sizeof *reached), *next = calloc(3 * (size_t)n, sizeof *next);
  char* truncated = calloc(n, 1);
  for (int e = 0; e < n; e++) {
    all[e].random = (uint64_t)e;
    start(&all[e]);
  }
  double sum = 0, begin = now();
  for (int k = 0; k < steps; k++) {
    for (int e = 0; e < n; e++) actions[e] = (float)((k / 10 + e) % 3 - 1);
    for (int e = 0; e < n; e++) {
      Pendulum* p = &all[e];
      float a = actions[e];
      a = a < -1 ? -1 : a > 1 ? 1 : a;
      double u = 2 * a;
      double angle = p->frame[0], speed = p->frame[1];
      angle -= 2 * M_PI * floor((angle + M_PI) / (2 * M_PI));
      rewards[e] = (float)-(angle * angle + 0.1 * speed * speed + 0.001 * u * u);
      double faster = p->speed + (15 * p->sine + 3 * u) * 0.05;
      p->speed = faster < -8 ? -8 : faster > 8 ? 8 : faster;
      p->angle += p->speed * 0.05;
      write_frame(p, u);
      observe(p, reached + 3 * e);
      truncated[e] = ++p->taken >= 200;
      if (truncated[e]) start(p);
      observe(p, next + 3 * e);
    }
    for (int e = 0; e < n; e++) sum += rewards[e];
  }
  printf("%.3f %.9g\n", (double)n * steps / (now() - begin), sum);
  return 0;
}
