"""Congestion control of one transport that we send on, after draft-ietf-rmcat-gcc-02. Pure: time is an
argument.

The sender asks `BandwidthEstimator` how much the path carries, `Prober` when to find out whether it carries
more, and `Pacer` when to send what would not fit at once.
"""

from rtp.congestion.delay import Usage
from rtp.congestion.estimator import BandwidthEstimator
from rtp.congestion.pacer import Pacer, PacketClass
from rtp.congestion.probing import ProbeCluster, Prober

__all__ = ["BandwidthEstimator", "Pacer", "PacketClass", "ProbeCluster", "Prober", "Usage"]
