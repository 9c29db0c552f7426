"""PyTorch's side of the training-throughput and plan-torch benchmarks, as a reader of lines on standard input.

    torch_peer.py NETWORK WEIGHTS HORIZON ACTION CONDITION WIDTH LAYERS HEADS STEPS_SEEN BATCH

NETWORK is mlp or transformer; WEIGHTS holds its float32 weights in the order of the house's network. Then, one line each:
    train N   N updates of diffusion training (AdamW, clipping, weight average) -> seconds
    plan N    N plans of ten DDIM steps, one chunk each                         -> seconds
    say       the chunk planned from noise 0.1, 0.2, ... and condition 0.01, 0.02, ... -> numbers
"""
import math
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(1)
network, path = sys.argv[1:3]
H, A, C, WIDTH, LAYERS, HEADS, SEEN, BATCH = map(int, sys.argv[3:11])
weights = torch.frombuffer(bytearray(open(path, "rb").read()), dtype=torch.float32)
at = 0


def take(*shape):
    global at
    n = math.prod(shape)
    value = weights[at:at + n].reshape(shape).clone()
    at += n
    return value


def linear(inputs, outputs):
    layer = nn.Linear(inputs, outputs)
    layer.weight.data = take(inputs, outputs).t().contiguous()
    layer.bias.data = take(outputs)
    return layer


def norm(width):
    layer = nn.LayerNorm(width)
    layer.weight.data = take(width)
    layer.bias.data = take(width)
    return layer


def features(t, width):
    half = width // 2
    k = torch.exp(torch.arange(half) * (-math.log(10000) / (half - 1)))
    angle = t.reshape(-1, 1) * k
    return torch.cat([angle.sin(), angle.cos()], 1)


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([linear(H * A + C + 32, WIDTH)] + [linear(WIDTH, WIDTH) for _ in range(LAYERS - 1)])
        self.output = linear(WIDTH, H * A)

    def forward(self, sample, t, cond):
        h = F.mish(self.layers[0](torch.cat([sample.flatten(1), cond, features(t, 32)], 1)))
        for layer in self.layers[1:]:
            h = h + F.mish(layer(h))
        return self.output(h).reshape(-1, H, A)


class Attention(nn.Module):
    def __init__(self, mask):
        super().__init__()
        self.query = linear(WIDTH, WIDTH)
        self.key = linear(WIDTH, WIDTH)
        self.value = linear(WIDTH, WIDTH)
        self.mix = linear(WIDTH, WIDTH)
        self.mask = mask

    def forward(self, x, memory):
        def split(y):
            return y.reshape(y.shape[0], -1, HEADS, WIDTH // HEADS).transpose(1, 2)
        logits = split(self.query(x)) @ split(self.key(memory)).transpose(2, 3) / math.sqrt(WIDTH / HEADS)
        mixed = torch.softmax(logits + self.mask, -1) @ split(self.value(memory))
        return self.mix(mixed.transpose(1, 2).reshape(x.shape[0], -1, WIDTH))


class Layer(nn.Module):
    def __init__(self, future, unseen):
        super().__init__()
        self.norm0 = norm(WIDTH)
        self.self_attention = Attention(future)
        self.norm1 = norm(WIDTH)
        self.cross_attention = Attention(unseen)
        self.norm2 = norm(WIDTH)
        self.up = linear(WIDTH, 4 * WIDTH)
        self.down = linear(4 * WIDTH, WIDTH)

    def forward(self, x, memory):
        y = self.norm0(x)
        x = x + self.self_attention(y, y)
        x = x + self.cross_attention(self.norm1(x), memory)
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        row = torch.arange(H).reshape(-1, 1)
        future = torch.where(row >= torch.arange(H), 0.0, -1e9)
        unseen = torch.where((torch.arange(1 + SEEN) < 1) | (row >= torch.arange(1 + SEEN) - 1), 0.0, -1e9)
        self.observation = linear(C // SEEN, WIDTH)
        self.memory_position = nn.Parameter(take(1 + SEEN, WIDTH))
        self.memory0 = linear(WIDTH, 4 * WIDTH)
        self.memory1 = linear(4 * WIDTH, WIDTH)
        self.action = linear(A, WIDTH)
        self.action_position = nn.Parameter(take(H, WIDTH))
        self.layers = nn.ModuleList([Layer(future, unseen) for _ in range(LAYERS)])
        self.last_norm = norm(WIDTH)
        self.output = linear(WIDTH, A)

    def forward(self, sample, t, cond):
        memory = self.observation(cond.reshape(-1, SEEN, C // SEEN))
        memory = torch.cat([features(t, WIDTH).unsqueeze(1), memory], 1) + self.memory_position
        memory = self.memory1(F.mish(self.memory0(memory)))
        x = self.action(sample) + self.action_position
        for layer in self.layers:
            x = layer(x, memory)
        return self.output(self.last_norm(x))


T = 100
bar = [math.cos((i / T + 0.008) / 1.008 * math.pi / 2) ** 2 for i in range(T + 1)]
betas = torch.tensor([min(1 - bar[i + 1] / bar[i], 0.999) for i in range(T)], dtype=torch.float64)
alphas = torch.cumprod(1 - betas, 0)
signal, spread = alphas.sqrt().float(), (1 - alphas).sqrt().float()

net = Mlp() if network == "mlp" else Transformer()
assert at == len(weights), f"{len(weights)} weights, the network takes {at}"
average = [p.detach().clone() for p in net.parameters()]
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, betas=(0.95, 0.999), weight_decay=1e-6)
conditions, chunks = torch.rand(20000, C) * 2 - 1, torch.rand(20000, H, A) * 2 - 1


def train(updates):
    for _ in range(updates):
        rows = torch.randint(20000, (BATCH,))
        cond, clean = conditions[rows], chunks[rows]
        t = torch.randint(T, (BATCH,))
        noise = torch.randn_like(clean)
        noisy = signal[t].reshape(-1, 1, 1) * clean + spread[t].reshape(-1, 1, 1) * noise
        loss = F.mse_loss(net(noisy, t.float(), cond), clean)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_mul_(average, 0.999)
            torch._foreach_add_(average, list(net.parameters()), alpha=0.001)


@torch.no_grad()
def plan(x, cond):
    for t in range(90, -1, -10):
        clean = net(x, torch.tensor([float(t)]), cond)
        a, s = float(signal[t]), float(spread[t])
        noise = (x - a * clean) / s
        clean = clean.clamp(-1, 1)
        nxt = t - 10
        x = clean if nxt < 0 else float(signal[nxt]) * clean + float(spread[nxt]) * noise
    return x


start_noise = (torch.arange(1, H * A + 1) * 0.1 % 1).reshape(1, H, A)
start_cond = (torch.arange(1, C + 1) * 0.01 % 1).reshape(1, C)
for line in sys.stdin:
    word, *rest = line.split()
    if word == "say":
        print(" ".join(f"{v:.7g}" for v in plan(start_noise, start_cond).flatten().tolist()), flush=True)
        continue
    began = time.perf_counter()
    if word == "train":
        train(int(rest[0]))
    else:
        for _ in range(int(rest[0])):
            plan(start_noise, start_cond)
    print(f"{time.perf_counter() - began:.9f}", flush=True)
