"""This machine's addresses, and socket addresses as peers shall read them."""

from __future__ import annotations

import ipaddress
import socket

import ifaddr

from transport.udp import Address


def plain_address(address: Address) -> tuple[str, int]:
    """(IP, port) without zone; an IPv4 address a dual-stack socket shows as `::ffff:…` becomes IPv4."""
    host = str(address[0]).partition("%")[0]
    if host.startswith("::ffff:") and "." in host:
        host = host[7:]
    return host, int(address[1])


def usable_host(host: str) -> str:
    """`host`, or `0.0.0.0` for `::` where the kernel has no IPv6."""
    if not (":" in host and ipaddress.ip_address(host).is_unspecified):
        return host
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return "0.0.0.0"  # noqa: S104  # what was asked for, as far as it can be had
    return host


def host_addresses(bound: str) -> list[str]:
    """The addresses under which a socket bound to `bound` is reached from elsewhere, IPv6 and IPv4.

    A wildcard stands for the interfaces' addresses, or for loopback when the machine has no other.
    """
    if not ipaddress.ip_address(bound).is_unspecified:
        return [bound]
    with_ipv6 = ":" in bound
    found = [address for address in interface_addresses() if with_ipv6 or ":" not in address]
    loopback = ["127.0.0.1", "::1"] if with_ipv6 else ["127.0.0.1"]
    return found or loopback


def interface_addresses() -> list[str]:
    """Global and private unicast addresses of all interfaces; no loopback, no link-local."""
    texts = [
        ip.ip if isinstance(ip.ip, str) else ip.ip[0]
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
    ]
    addresses = [ipaddress.ip_address(text) for text in texts]
    return [str(found) for found in addresses if not (found.is_loopback or found.is_link_local)]
