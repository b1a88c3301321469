"""Plots of the benches."""

from __future__ import annotations

from xml.etree import ElementTree

from bench.plot import Line, Panel, plot

SVG = "{http://www.w3.org/2000/svg}"


def test_a_plot_has_a_line_for_each_series_inside_its_panel_and_escapes_names() -> None:
    lines = [Line("a & <b>", "#123456", [(0.0, 0.0), (10.0, 50.0)]), Line("", "#abcdef", [(5.0, 5.0)])]
    panels = [Panel("upper", 100, 10.0, (0, 10), lines), Panel("lower", 50, 1.0, (), lines[:1])]
    drawn = ElementTree.fromstring(plot("Squeezed & <let go>", panels, 10.0))
    found = [line.attrib["points"] for line in drawn.iter(f"{SVG}polyline")]
    assert found == ["60.0,140.0 940.0,40.0", "500.0,90.0", "60.0,220.0 940.0,170.0"]
    said = [text.text for text in drawn.iter(f"{SVG}text")]
    assert said.count("a & <b>") == 2
    assert "10 s" in said
