"""The words of remote control on the box's own page, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge_agents.status_words import Language


@dataclass(frozen=True)
class ControlWords:
    """One language. In braces: `who`, `feed`, `minutes`, `time`, `tries`."""

    title: str
    wants: str
    wait: str
    code: str
    code_rests: str
    tries: str
    allow: str
    refuse: str
    badge: str
    wrong_badge: str
    controls: str
    left: str
    stop: str


CONTROL_WORDS: Final[Mapping[Language, ControlWords]] = {
    "en": ControlWords(
        title="Remote control",
        wants="{who} wants to control {feed} with keyboard and pointer for {minutes} min.",
        wait="Nothing is pressed before you confirm it here. Ends in {time}.",
        code="Or read this code to the host of the consultation, who types it:",
        code_rests="Too many wrong codes: no code for a minute.",
        tries="{tries} tries left",
        allow="Allow",
        refuse="Refuse",
        badge="Hold your badge before the scanner",
        wrong_badge="This box does not know that badge.",
        controls="{who} controls {feed}.",
        left="{time} left",
        stop="Stop",
    ),
    "zh": ControlWords(
        title="远程控制",
        wants="{who} 请求用键盘和指针控制 {feed}，{minutes} 分钟。",
        wait="在此确认之前不会有任何按键。{time} 后失效。",
        code="或者把此代码告诉会诊主持人，由其输入：",
        code_rests="错误次数过多：一分钟内不显示代码。",
        tries="还可输入 {tries} 次",
        allow="允许",
        refuse="拒绝",
        badge="请将胸卡对准扫码器",
        wrong_badge="本终端不认识此胸卡。",
        controls="{who} 正在控制 {feed}。",
        left="剩余 {time}",
        stop="停止",
    ),
}
