"""PyTorch's side of the sac-update and learning-throughput benchmarks: CleanRL's SAC, as a reader of lines on standard input.

    sac_peer.py OBSERVATION ACTION WIDTH BATCH

Two critics and their slow copies, a squashed Gaussian actor, a learned temperature; one update of everything per update, as CleanRL's
sac_continuous_action.py does with policy_frequency 1. Then, one line each:
    update N   N updates on batches drawn from a replay of 100000 transitions -> seconds
    step N     N steps of the pendulum (OBSERVATION 3, ACTION 1), each acted on, kept, and followed by an update -> seconds
"""
import math
import random
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(1)
torch.manual_seed(1)
O, A, WIDTH, BATCH = map(int, sys.argv[1:5])
ROWS = 100000


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.three = nn.Linear(O + A, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 1)

    def forward(self, s, a):
        return self.three(F.relu(self.two(F.relu(self.one(torch.cat([s, a], 1)))))).squeeze(1)


class Actor(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(O, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mean, self.deviation = nn.Linear(WIDTH, A), nn.Linear(WIDTH, A)

    def forward(self, s):
        h = F.relu(self.two(F.relu(self.one(s))))
        mean, log = self.mean(h), self.deviation(h).clamp(-20, 2)
        normal = torch.distributions.Normal(mean, log.exp())
        u = normal.rsample()
        a = torch.tanh(u)
        return a, (normal.log_prob(u) - torch.log(1 - a.pow(2) + 1e-6)).sum(1)


actor, q1, q2, t1, t2 = Actor(), Critic(), Critic(), Critic(), Critic()
t1.load_state_dict(q1.state_dict())
t2.load_state_dict(q2.state_dict())
log_alpha = torch.zeros(1, requires_grad=True)
critic_adam = torch.optim.Adam(list(q1.parameters()) + list(q2.parameters()), 3e-4)
actor_adam = torch.optim.Adam(actor.parameters(), 3e-4)
alpha_adam = torch.optim.Adam([log_alpha], 3e-4)
S, N = torch.randn(ROWS, O), torch.randn(ROWS, O)
U, R, D = torch.rand(ROWS, A) * 2 - 1, torch.randn(ROWS), torch.full((ROWS,), 0.99)


def update():
    i = torch.randint(0, ROWS, (BATCH,))
    s, a, r, n, d = S[i], U[i], R[i], N[i], D[i]
    alpha = log_alpha.exp().item()
    with torch.no_grad():
        b, log = actor(n)
        y = r + d * (torch.min(t1(n, b), t2(n, b)) - alpha * log)
    loss = F.mse_loss(q1(s, a), y) + F.mse_loss(q2(s, a), y)
    critic_adam.zero_grad()
    loss.backward()
    critic_adam.step()
    b, log = actor(s)
    loss = (alpha * log - torch.min(q1(s, b), q2(s, b))).mean()
    actor_adam.zero_grad()
    loss.backward()
    actor_adam.step()
    loss = (-log_alpha.exp() * (log.detach() - A)).mean()
    alpha_adam.zero_grad()
    loss.backward()
    alpha_adam.step()
    with torch.no_grad():
        for slow, fast in ((t1, q1), (t2, q2)):
            for x, y in zip(slow.parameters(), fast.parameters()):
                x.data.copy_(0.005 * y.data + 0.995 * x.data)


# Gym's pendulum in plain Python floats: no wrapper costs.
angle, speed, ticks, at = 0.5, 0.0, 0, 0


def step():
    global angle, speed, ticks, at
    now = torch.tensor([math.cos(angle), math.sin(angle), speed])
    with torch.no_grad():
        action = actor(now[None])[0][0]
    u = 2 * action.item()
    upright = (angle + math.pi) % (2 * math.pi) - math.pi
    reward = -(upright ** 2 + 0.1 * speed ** 2 + 0.001 * u ** 2)
    speed = max(-8.0, min(8.0, speed + (15 * math.sin(angle) + 3 * u) * 0.05))
    angle += speed * 0.05
    S[at], U[at], R[at], N[at] = now, action, reward, torch.tensor([math.cos(angle), math.sin(angle), speed])
    at, ticks = (at + 1) % ROWS, ticks + 1
    if ticks == 200:
        angle, speed, ticks = random.uniform(-math.pi, math.pi), random.uniform(-1, 1), 0
    update()


for line in sys.stdin:
    what, count = line.split()[0], int(line.split()[1])
    began = time.perf_counter()
    for _ in range(count):
        step() if what == "step" else update()
    print(f"{time.perf_counter() - began:.9f}", flush=True)
