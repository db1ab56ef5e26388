#!/usr/bin/python3
"""limits, a rate limiter for Python, as it comes with Debian (python3-limits), against
our server. It has a script for each of its ways to count."""

import concurrent.futures
import time
import unittest

import cases
import limits
from limits.strategies import (
    FixedWindowElasticExpiryRateLimiter,
    FixedWindowRateLimiter,
    MovingWindowRateLimiter,
)


class Case(unittest.TestCase):
    def setUp(self):
        self.storage = limits.storage.storage_from_string(
            f"redis://127.0.0.1:{cases.server.port}")
        self.storage.storage.flushall()
        self.addCleanup(self.storage.storage.close)

    def count_hits(self, limiter, limit, count):
        """Hits a limit at once from many threads; returns how many got through."""
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            return sum(pool.map(lambda _: limiter.hit(limit, "all"), range(count)))


class Windows(Case):
    def test_a_fixed_window_counts_from_the_first_hit(self):
        limiter = FixedWindowRateLimiter(self.storage)
        limit = limits.parse("3/second")
        self.assertEqual([limiter.hit(limit, "a") for _ in range(4)], [True] * 3 + [False])
        self.assertTrue(limiter.hit(limit, "b"))
        self.assertFalse(limiter.test(limit, "a"))
        time.sleep(1.05)
        self.assertTrue(limiter.test(limit, "a"))
        self.assertTrue(limiter.hit(limit, "a"))

    def test_a_hit_can_cost_more(self):
        limiter = FixedWindowRateLimiter(self.storage)
        limit = limits.parse("10/minute")
        self.assertTrue(limiter.hit(limit, "a", cost=7))
        reset, remaining = limiter.get_window_stats(limit, "a")
        self.assertEqual(remaining, 3)
        self.assertAlmostEqual(reset, time.time() + 60, delta=2)
        self.assertFalse(limiter.hit(limit, "a", cost=4))

    def test_an_elastic_window_lasts_for_as_long_as_there_are_hits(self):
        limiter = FixedWindowElasticExpiryRateLimiter(self.storage)
        limit = limits.parse("2/2 second")
        for _ in range(3):
            limiter.hit(limit, "a")
            time.sleep(0.8)
        self.assertFalse(limiter.test(limit, "a"))

    def test_a_moving_window_looks_back(self):
        limiter = MovingWindowRateLimiter(self.storage)
        limit = limits.parse("3/2 second")
        self.assertTrue(limiter.hit(limit, "a", cost=2))
        time.sleep(1.2)
        self.assertTrue(limiter.hit(limit, "a"))
        self.assertFalse(limiter.hit(limit, "a"))
        self.assertEqual(limiter.get_window_stats(limit, "a")[1], 0)
        time.sleep(1)
        self.assertFalse(limiter.hit(limit, "a", cost=3))
        self.assertTrue(limiter.hit(limit, "a", cost=2))

    def test_no_more_get_through_when_all_come_at_once(self):
        limit = limits.parse("50/minute")
        for strategy in FixedWindowRateLimiter, MovingWindowRateLimiter:
            self.assertEqual(self.count_hits(strategy(self.storage), limit, 200), 50)
            self.storage.storage.flushall()

    def test_limits_are_cleared_one_by_one_and_all_at_once(self):
        limiter = MovingWindowRateLimiter(self.storage)
        limit = limits.parse("1/minute")
        names = [str(number) for number in range(100)]
        self.assertTrue(all(limiter.hit(limit, name) for name in names))
        limiter.clear(limit, "7")
        self.assertTrue(limiter.hit(limit, "7"))
        self.storage.storage.set("another", "key")
        self.assertEqual(self.storage.reset(), 100)
        self.assertEqual(self.storage.storage.keys(), [b"another"])
        self.assertTrue(self.storage.check())


if __name__ == "__main__":
    cases.run()
