"""Guard: how often an address and a key may ask, and what happens to those who guess keys."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TypeVar

from mien.config_exposure import Exposure
from mien.errors import RateLimited

Name = TypeVar("Name")
Value = TypeVar("Value")

__all__ = ["Guard", "network_of"]

REMEMBERED = 10_000
"""Addresses and keys that are remembered; the one that has been silent for longest goes."""


class Guard:
    """Rates and lock-outs of one server process; used on the event loop only.

    A lock-out is of an address, never of a key: whoever guesses cannot shut out the owner of the
    key. And it is of keys that are new to the server: those that have been valid here go on from a
    locked address too, which may be a proxy or a company with many clients behind it.

    Args:
        limits: rates and lock-outs; :attr:`limits` may be replaced at any time.
        clock: seconds that only grow.
    """

    def __init__(self, limits: Exposure, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._addresses: OrderedDict[str, _Bucket] = OrderedDict()
        self._keys: OrderedDict[str, _Bucket] = OrderedDict()
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._proven: OrderedDict[bytes, None] = OrderedDict()

    def enter(self, address: str | None) -> None:
        """Count a request of an address.

        Raises:
            RateLimited: too many in too short a time.
        """
        rate = self.limits.rate_per_address
        if rate:
            self._take(self._addresses, network_of(address), rate, "of this address")

    def use(self, key_id: str) -> None:
        """Count a request of a key.

        Raises:
            RateLimited: too many in too short a time.
        """
        rate = self.limits.rate_per_key
        if rate:
            self._take(self._keys, key_id, rate, "with this key")

    def may_try(self, address: str | None, secret: str) -> None:
        """Whether a key may be looked up for an address.

        Raises:
            RateLimited: the address has tried too many wrong ones, and this one is new.
        """
        most, found = self.limits.lockout_failures, self._failures.get(network_of(address))
        if not most or found is None or len(found) < most or _digest(secret) in self._proven:
            return
        left = found[-1] + self.limits.lockout_s - self._clock()
        if left > 0 and found[-1] - found[-most] <= self.limits.lockout_s:
            raise RateLimited(
                "Too many wrong API keys came from this address: wait, then try again.",
                details={"retry_after_s": math.ceil(left)},
            )

    def wrong(self, address: str | None, secret: str) -> None:
        """An address has tried a key that is not valid, or is no more."""
        self._proven.pop(_digest(secret), None)
        most = self.limits.lockout_failures
        if most:
            name = network_of(address)
            found = self._failures.pop(name, deque())
            found = deque(found, maxlen=most)
            found.append(self._clock())
            _remember(self._failures, name, found)

    def right(self, secret: str) -> None:
        """A key was found valid."""
        _remember(self._proven, _digest(secret), None)

    def _take(self, buckets: OrderedDict[str, _Bucket], name: str, rate: float, whose: str) -> None:
        now, burst = self._clock(), self.limits.rate_burst
        bucket = buckets.pop(name, None) or _Bucket(burst, now)
        _remember(buckets, name, bucket)
        wait = bucket.take(rate, burst, now)
        if wait > 0:
            raise RateLimited(
                f"Too many requests {whose}: wait, then try again.",
                details={"retry_after_s": math.ceil(wait)},
            )


class _Bucket:
    """Tokens that come back at a rate; one is taken by each request."""

    __slots__ = ("at", "tokens")

    def __init__(self, burst: int, now: float) -> None:
        self.tokens = float(burst)
        self.at = now

    def take(self, rate: float, burst: int, now: float) -> float:
        """Take one; seconds until there is one, where there is none."""
        self.tokens = min(burst, self.tokens + rate * (now - self.at))
        self.at = now
        if self.tokens < 1:
            return (1 - self.tokens) / rate
        self.tokens -= 1
        return 0.0


def network_of(address: str | None) -> str:
    """Who counts as one: an IPv4 address, or the /64 that an IPv6 client can choose from.

    Example:
        >>> network_of("2001:db8::1:2"), network_of("::ffff:192.0.2.1")
        ('2001:db8::/64', '192.0.2.1')
    """
    if address is None:
        return "local"
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), 64), strict=False))


def _remember(known: OrderedDict[Name, Value], name: Name, value: Value) -> None:
    known[name] = value
    known.move_to_end(name)
    if len(known) > REMEMBERED:
        known.popitem(last=False)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
