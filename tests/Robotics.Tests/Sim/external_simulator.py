#!/usr/bin/env python3
"""A whole simulator for sim/Robotics.Sim/EXTERNAL.md in the standard library: copy it and put your own physics in.

    external_simulator.py ADDRESS [--fault FAULT]

ADDRESS is a TCP port on 127.0.0.1 (0: any free one) or the path of a Unix socket; the first line of output is the address to connect
to. It plays a cart of 1 kg that is pushed by up to 1 N for 0.1 s a step and rewarded by minus its distance from 0; an episode ends
beyond 2 m and is cut after 50 steps. FAULT makes it misbehave at its third step: hang, die, nan, short.
"""
import random
import socket
import struct
import sys
import time

OBSERVATION, ACTION, LIMIT, NAME = 2, 1, 50, b"cart"
HELLO, WELCOME, RESET, STARTED, STEP, STEPPED, FAILED, BYE = range(1, 9)


class Cart:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.begin()

    def begin(self):
        self.x, self.v, self.steps = self.random.uniform(-1, 1), 0.0, 0

    def observe(self):
        return [self.x, self.v]

    def step(self, action):
        self.v += 0.1 * action[0]
        self.x += 0.1 * self.v
        self.steps += 1
        terminated, truncated = abs(self.x) > 2, self.steps >= LIMIT
        reached, reward = self.observe(), -abs(self.x)
        if terminated or truncated:
            self.begin()
        return reached, self.observe(), reward, terminated | truncated << 1


def receive(connection, length):
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def serve(connection, fault):
    carts, count, steps = [], 0, 0
    while True:
        magic, version, kind, _, sequence, length = struct.unpack("<4sBBHII", receive(connection, 16))
        payload = receive(connection, length)

        def answer(kind, payload):
            connection.sendall(struct.pack("<4sBBHII", b"RSIM", 1, kind, 0, sequence, len(payload)) + payload)

        if magic != b"RSIM" or version != 1:
            return answer(FAILED, b"this simulator speaks version 1")
        if kind == HELLO:
            count = struct.unpack("<I", payload)[0] or 1
            answer(WELCOME, struct.pack("<IIIIH", count, OBSERVATION, ACTION, LIMIT, len(NAME)) + NAME)
        elif kind == RESET:
            seed = struct.unpack("<Q", payload)[0]
            carts = [Cart(seed * 65536 + i) for i in range(count)]
            answer(STARTED, struct.pack(f"<{count * OBSERVATION}f", *[e for cart in carts for e in cart.observe()]))
        elif kind == STEP:
            steps += 1
            actions = struct.unpack(f"<{count * ACTION}f", payload)
            results = [cart.step(actions[i * ACTION:(i + 1) * ACTION]) for i, cart in enumerate(carts)]
            reached = [e for result in results for e in result[0]]
            if fault and steps == 3:
                if fault == "hang":
                    time.sleep(3600)
                if fault == "die":
                    sys.exit(1)
                if fault == "short":
                    return answer(STEPPED, b"\0" * 8)
                if fault == "nan":
                    reached[0] = float("nan")
            floats = reached + [e for result in results for e in result[1]] + [result[2] for result in results]
            answer(STEPPED, struct.pack(f"<{len(floats)}f", *floats) + bytes(result[3] for result in results))
        elif kind == BYE:
            return None
        else:
            return answer(FAILED, b"unknown request")


def main():
    address = sys.argv[1]
    fault = sys.argv[3] if len(sys.argv) > 3 else None
    if address.isdigit():
        listener = socket.create_server(("127.0.0.1", int(address)))
        print(f"tcp:127.0.0.1:{listener.getsockname()[1]}", flush=True)
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address)
        listener.listen()
        print(f"unix:{address}", flush=True)
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                serve(connection, fault)
            except (EOFError, ConnectionError):
                pass  # the learner went away; the next one may come


main()
