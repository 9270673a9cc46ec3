"""Which addresses and ports a URL that a client writes may lead to."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from mien.errors import ConfigurationError

__all__ = ["AddressRules", "is_public", "parse_networks", "parse_ports"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NOT_PUBLIC: tuple[Network, ...] = (
    ipaddress.ip_network("168.63.129.16/32"),  # Azure's platform address: public by its number
    ipaddress.ip_network("192.0.0.0/24"),  # protocols; Oracle's metadata address
    ipaddress.ip_network("192.88.99.0/24"),  # relays of 6to4
    ipaddress.ip_network("192.31.196.0/24"),  # AS112
    ipaddress.ip_network("192.175.48.0/24"),  # AS112
    ipaddress.ip_network("2620:4f:8000::/48"),  # AS112
    ipaddress.ip_network("fec0::/10"),  # site-local of old, which routers still know
    ipaddress.ip_network("3fff::/20"),  # documentation
)
NAT64 = ipaddress.ip_network("64:ff9b::/96")
COMPATIBLE = ipaddress.ip_network("::/96")
ISATAP = frozenset({0x00005EFE, 0x02005EFE})
"""What stands before the IPv4 address in the last 64 bits of a tunnel's end (RFC 5214)."""


@dataclass(frozen=True, slots=True)
class AddressRules:
    """Where a server may be sent.

    Attributes:
        networks: allowed beside public addresses.
        ports: first and last of each allowed range.
        public: public addresses are allowed at all.
    """

    networks: tuple[Network, ...]
    ports: tuple[tuple[int, int], ...]
    public: bool = True

    def allow_port(self, port: int) -> bool:
        """Whether a URL may name this port."""
        return any(first <= port <= last for first, last in self.ports)

    def allow_address(self, text: str) -> bool:
        """Whether this numeric address, as the resolver gave it, may be connected to."""
        try:
            address = _real(ipaddress.ip_address(text.partition("%")[0]))
        except ValueError:
            return False
        if any(address in network for network in self.networks):
            return True
        return self.public and is_public(address)


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public Internet, whatever form it is written in.

    Loopback, private, link-local (where clouds answer with credentials), shared, reserved and
    multicast addresses do not; an IPv4 address inside an IPv6 one counts as itself.
    """
    real = _real(address)
    return (
        real.is_global
        and not real.is_multicast
        and not real.is_reserved
        and not any(real in network for network in NOT_PUBLIC)
    )


def parse_networks(names: Iterable[str]) -> tuple[Network, ...]:
    """Networks such as ``10.1.0.0/16`` or single addresses.

    Raises:
        ConfigurationError: one that is none.
    """
    try:
        return tuple(ipaddress.ip_network(name.strip()) for name in names)
    except ValueError:
        raise ConfigurationError(
            "The setting 'fetch_networks' cannot be used: name networks such as 10.1.0.0/16.",
            details={"setting": "fetch_networks"},
        ) from None


def parse_ports(text: str) -> tuple[tuple[int, int], ...]:
    """``80,443,10000-12000`` as ranges.

    Raises:
        ConfigurationError: not ports.
    """
    ranges = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        try:
            ends = int(first), int(last or first)
        except ValueError:
            ends = (1, 0)
        if not 1 <= ends[0] <= ends[1] <= 65535:
            raise ConfigurationError(
                "The setting 'fetch_ports' cannot be used: name ports such as 80,443,10000-12000.",
                details={"setting": "fetch_ports"},
            )
        ranges.append(ends)
    return tuple(ranges)


def _real(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where there is one that packets would be sent to."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    embedded = address in NAT64 or (int(address) >> 32 & 0xFFFFFFFF) in ISATAP
    if embedded or (address in COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
