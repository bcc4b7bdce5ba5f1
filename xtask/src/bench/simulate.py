"""The scenarios of `bench simulate` as plain SimPy models: one process for each connection."""

import random
import sys
import time

import simpy

LOW, PORTS = 32768, 28232


class Linux:
    """connect(): a place for each destination, steps of two through one parity, then the other."""

    def __init__(self):
        self.places = {}

    def pick(self, destination, taken):
        place = self.places.setdefault(destination, random.randrange(1 << 32))
        start = place % PORTS & ~1
        for parity in (0, 1):
            for tried in range(0, PORTS, 2):
                port = LOW + (start + parity + tried) % PORTS
                if port not in taken:
                    self.places[destination] = place + max(tried, 2 * random.randrange(8)) + 2
                    return port
        return None


class Uniform:
    """Any free port: draw until one is."""

    def pick(self, destination, taken):
        while len(taken) < PORTS:
            port = LOW + random.randrange(PORTS)
            if port not in taken:
                return port
        return None


class Model:
    def __init__(self, environment, strategy, destinations, rate, poisson, duration, time_wait):
        self.environment, self.strategy, self.rate = environment, strategy, rate
        self.poisson, self.duration, self.time_wait = poisson, duration, time_wait
        self.taken = [set() for _ in range(destinations)]
        self.events = 0
        environment.process(self.arrivals())

    def arrivals(self):
        while True:
            gap = random.expovariate(self.rate) if self.poisson else 1 / self.rate
            yield self.environment.timeout(gap)
            self.environment.process(self.connection())

    def connection(self):
        destination = random.randrange(len(self.taken))
        taken = self.taken[destination]
        self.events += 1
        port = self.strategy.pick(destination, taken)
        if port is None:
            return
        taken.add(port)
        lasts = random.expovariate(1 / self.duration) if self.poisson else self.duration
        yield self.environment.timeout(lasts)
        self.events += 1
        if self.time_wait:
            yield self.environment.timeout(self.time_wait)
            self.events += 1
        taken.remove(port)


def main():
    name, seconds = sys.argv[1], float(sys.argv[2])
    random.seed(1)
    environment = simpy.Environment()
    if name == "one destination":
        model = Model(environment, Uniform(), 1, 10_000, False, 1.0, 0)
    else:
        model = Model(environment, Linux(), 10_000, 100_000, True, 0.1, 60)
    begun = time.process_time()
    environment.run(until=seconds)
    print(model.events, time.process_time() - begun)


main()
