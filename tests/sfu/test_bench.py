"""The benchmark measures what it says: real processes, every packet counted, a sample authenticated."""

from __future__ import annotations

from bench.sfu import COLUMNS, measure, table


async def test_a_short_run_forwards_every_packet_to_every_subscriber() -> None:
    row = await measure(2, 3.0, warm_up_s=0.5, bitrate_bps=1_000_000)
    assert row.packets_out_per_s > 1.8 * row.packets_in_per_s > 100
    assert row.loss_percent == 0
    assert row.verified_packets > 0
    assert row.rejected_packets == 0
    assert row.srtp_profile == "SRTP_AEAD_AES_256_GCM"
    assert 0 < row.cpu_us_per_packet < 10_000
    assert row.inside_p50_us is not None
    assert table([row]).row_count == 1
    assert len(table([row]).columns) == len(COLUMNS)
