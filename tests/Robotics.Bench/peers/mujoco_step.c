// mujoco_step MODEL KEY STEPS SUBSTEPS AMPLITUDE POSITION_DRIVES: the plain C program that MujocoStep is compared with.
// Every control step writes each actuator's ctrl and reads each actuated joint's position, velocity and effort and the first
// body's position and orientation as floats. Prints control steps per second and a checksum.
#include <math.h>
#include <mujoco/mujoco.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  char error[1000] = "";
  mjModel* m = mj_loadXML(argv[1], 0, error, sizeof error);
  if (!m) { fprintf(stderr, "%s\n", error); return 1; }
  mjData* d = mj_makeData(m);
  int key = atoi(argv[2]), steps = atoi(argv[3]), substeps = atoi(argv[4]), drives = atoi(argv[6]);
  double amplitude = atof(argv[5]);
  static float target[64], base[64], frame[256];
  if (key >= 0) mj_resetDataKeyframe(m, d, key); else mj_resetData(m, d);
  mj_forward(m, d);
  for (int u = 0; u < m->nu; u++) base[u] = drives ? (float)d->qpos[m->jnt_qposadr[m->actuator_trnid[2 * u]]] : 0;
  double sum = 0, start = now();
  for (int k = 0; k < steps; k++) {
    for (int u = 0; u < m->nu; u++) target[u] = base[u] + (float)(amplitude * ((k / 10 + u) % 3 - 1));
    for (int n = 0; n < substeps; n++) {
      for (int u = 0; u < m->nu; u++) d->ctrl[u] = drives ? target[u] : target[u] / m->actuator_gear[6 * u];
      mj_step(m, d);
    }
    for (int u = 0; u < m->nu; u++) {
      int j = m->actuator_trnid[2 * u];
      frame[u] = (float)d->qpos[m->jnt_qposadr[j]];
      frame[m->nu + u] = (float)d->qvel[m->jnt_dofadr[j]];
      frame[2 * m->nu + u] = (float)d->qfrc_actuator[m->jnt_dofadr[j]];
    }
    for (int i = 0; i < 3; i++) frame[3 * m->nu + i] = (float)d->xpos[3 + i];
    for (int i = 0; i < 4; i++) frame[3 * m->nu + 3 + i] = (float)d->xquat[4 + i];
    for (int w = 0; w < mjNWARNING; w++) if (d->warning[w].number) { fprintf(stderr, "warning %d\n", w); return 1; }
    sum += frame[0] + frame[3 * m->nu + 2];
  }
  printf("%.3f %.9g\n", steps / (now() - start), sum);
  return 0;
}
