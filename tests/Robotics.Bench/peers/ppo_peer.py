"""PyTorch's side of the learning-throughput benchmark: CleanRL's PPO loop on the pendulum, as a reader of lines on standard input.

    ppo_peer.py STEPS EPOCHS MINIBATCHES

Everything that ppo_continuous_action.py does for a sample: one environment, running normalisation of observations and rewards,
generalised advantages, clipped surrogate, joint gradient clipping, Adam. The pendulum is Gym's, in plain Python floats: no wrapper costs.
    round N   N times STEPS environment steps and the update after them -> seconds
"""
import math
import random
import sys
import time

import numpy as np
import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(1)
random.seed(1)
STEPS, EPOCHS, MINIBATCHES = map(int, sys.argv[1:4])
GAMMA, LAMBDA, CLIP = 0.9, 0.95, 0.2


class Pendulum:
    def reset(self):
        self.angle, self.speed, self.time = random.uniform(-math.pi, math.pi), random.uniform(-1, 1), 0
        return self.observe()

    def observe(self):
        return np.array([math.cos(self.angle), math.sin(self.angle), self.speed], dtype=np.float32)

    def step(self, action):
        u = 2 * max(-1.0, min(1.0, action))
        angle = (self.angle + math.pi) % (2 * math.pi) - math.pi
        reward = -(angle ** 2 + 0.1 * self.speed ** 2 + 0.001 * u ** 2)
        self.speed = max(-8.0, min(8.0, self.speed + (15 * math.sin(self.angle) + 3 * u) * 0.05))
        self.angle += self.speed * 0.05
        self.time += 1
        return self.observe(), reward, self.time == 200


class Running:
    def __init__(self, shape=()):
        self.mean, self.var, self.count = np.zeros(shape), np.ones(shape), 1e-4

    def update(self, x):
        delta, total = x - self.mean, self.count + 1
        self.mean = self.mean + delta / total
        self.var = (self.var * self.count + delta ** 2 * self.count / total) / total
        self.count = total


def layer(i, o, gain=math.sqrt(2)):
    one = nn.Linear(i, o)
    nn.init.orthogonal_(one.weight, gain)
    nn.init.constant_(one.bias, 0)
    return one


critic = nn.Sequential(layer(3, 64), nn.Tanh(), layer(64, 64), nn.Tanh(), layer(64, 1, 1.0))
actor = nn.Sequential(layer(3, 64), nn.Tanh(), layer(64, 64), nn.Tanh(), layer(64, 1, 0.01))
log_std = nn.Parameter(torch.zeros(1, 1))
parameters = [*critic.parameters(), *actor.parameters(), log_std]
adam = torch.optim.Adam(parameters, lr=1e-3, eps=1e-5)
env, seen, scale, ret = Pendulum(), Running((3,)), Running(), 0.0
obs = torch.zeros(STEPS, 3)
actions, logs, rewards, dones, values = torch.zeros(STEPS, 1), torch.zeros(STEPS), torch.zeros(STEPS), torch.zeros(STEPS), torch.zeros(STEPS)


def normal(x):
    seen.update(x)
    return torch.from_numpy(np.clip((x - seen.mean) / np.sqrt(seen.var + 1e-8), -10, 10).astype(np.float32))


def evaluate(x, a=None):
    d = torch.distributions.Normal(actor(x), log_std.exp().expand(x.shape[0], 1))
    a = d.sample() if a is None else a
    return a, d.log_prob(a).sum(1), d.entropy().sum(1), critic(x).squeeze(1)


now, done = normal(env.reset()), False


def round():
    global now, done, ret
    for t in range(STEPS):
        obs[t], dones[t] = now, float(done)
        with torch.no_grad():
            a, log, _, value = evaluate(now[None])
        actions[t], logs[t], values[t] = a[0], log[0], value[0]
        x, reward, done = env.step(a.item())
        ret = ret * GAMMA + reward
        scale.update(ret)
        rewards[t] = float(np.clip(reward / math.sqrt(scale.var + 1e-8), -10, 10))
        now = normal(env.reset() if done else x)
    with torch.no_grad():
        following = critic(now[None]).item()
        advantages, last = torch.zeros(STEPS), 0.0
        for t in reversed(range(STEPS)):
            goes_on = 1.0 - (float(done) if t == STEPS - 1 else dones[t + 1].item())
            after = following if t == STEPS - 1 else values[t + 1].item()
            last = rewards[t].item() + GAMMA * after * goes_on - values[t].item() + GAMMA * LAMBDA * goes_on * last
            advantages[t] = last
        returns = advantages + values
    order, size = np.arange(STEPS), STEPS // MINIBATCHES
    for _ in range(EPOCHS):
        np.random.shuffle(order)
        for at in range(0, STEPS, size):
            i = order[at:at + size]
            _, log, entropy, value = evaluate(obs[i], actions[i])
            ratio = (log - logs[i]).exp()
            a = advantages[i]
            a = (a - a.mean()) / (a.std() + 1e-8)
            policy = torch.max(-a * ratio, -a * ratio.clamp(1 - CLIP, 1 + CLIP)).mean()
            loss = policy + 0.5 * (0.5 * (value - returns[i]) ** 2).mean() - 0.0 * entropy.mean()
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 0.5)
            adam.step()


for line in sys.stdin:
    count = int(line.split()[1])
    began = time.perf_counter()
    for _ in range(count):
        round()
    print(f"{time.perf_counter() - began:.9f}", flush=True)
