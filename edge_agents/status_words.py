"""The words of the box's own page, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from aiohttp import web

from core.device_health import SignalState, Trouble
from edge_agents.status import BoxState

Language = Literal["en", "zh"]


def language_of(request: web.Request) -> Language:
    """As asked for, else as the browser prefers, else English."""
    said = request.query.get("lang", "") or request.headers.get("Accept-Language", "")
    return "zh" if said.strip().lower().startswith("zh") else "en"


@dataclass(frozen=True)
class Words:
    """One language."""

    tag: str
    name: str
    title: str
    states: Mapping[BoxState, str]
    troubles: Mapping[Trouble, str]
    signals: Mapping[SignalState, str]
    box: str
    signal: str
    pictures: str
    none_flow: str
    sent: str
    yes: str
    no: str
    encoder: str
    uplink: str
    server: str
    device: str
    not_enrolled: str
    room: str
    away: str
    clock: str
    temperature: str
    kept: str
    buffer: str
    memory: str
    disk: str
    version: str
    log: str


_EN: Final = Words(
    tag="en",
    name="English",
    title="Capture box",
    states={
        "starting": "Starting.",
        "idle": "Ready. No consultation uses this box now; its site attaches it.",
        "attending": "In a consultation.",
        "unreachable": "The server cannot be reached. Check the network cable or the 5G modem.",
        "revoked": "This box was shut out: its key is void. Ask the administrator for a new code.",
        "unknown": "The server does not know this box's key. Ask the administrator for a new code.",
        "disabled": "This box is disabled. Ask the administrator.",
        "fixed": "Sending to one room with a token; this box is not enrolled.",
    },
    troubles={
        "no_signal": "No signal: check the cable to the device, and that the device is on.",
        "source_fails": "A source delivers no pictures: check its cable; unplug it and plug it in again.",
        "not_flowing": "Pictures come in, but are not encoded.",
        "clock_off": "This box's clock is wrong: check its time server.",
        "hot": "Too hot: check the fan, and that air gets to the box.",
        "disk_low": "The disk is nearly full.",
    },
    signals={"ok": "yes", "none": "no signal", "failing": "no pictures"},
    box="This box",
    signal="Signal",
    pictures="Pictures",
    none_flow="none",
    sent="Sent to the server",
    yes="yes",
    no="no",
    encoder="Encoder",
    uplink="The network carries",
    server="Server",
    device="Enrolled as",
    not_enrolled="not enrolled",
    room="Room",
    away="not in it now",
    clock="Clock, against the server's",
    temperature="Temperature",
    kept="Kept for after an outage",
    buffer="Waiting to be delivered later",
    memory="Memory",
    disk="Free disk",
    version="Version",
    log="Log",
)
_ZH: Final = Words(
    tag="zh-CN",
    name="中文",
    title="采集终端",
    states={
        "starting": "正在启动。",
        "idle": "就绪。当前没有会诊使用本终端；由会诊发起方接入。",
        "attending": "会诊中。",
        "unreachable": "无法连接服务器。请检查网线或 5G 模块。",
        "revoked": "本终端的密钥已作废。请向管理员索取新的注册码。",
        "unknown": "服务器不认识本终端的密钥。请向管理员索取新的注册码。",
        "disabled": "本终端已被停用。请联系管理员。",
        "fixed": "正凭令牌向一个会诊室发送画面；本终端未注册。",
    },
    troubles={
        "no_signal": "无信号：请检查与设备的连线，并确认设备已开机。",
        "source_fails": "有信号源没有画面：请检查连线，拔下后重新插入。",
        "not_flowing": "有画面输入，但未能编码。",
        "clock_off": "本终端时钟不准：请检查时间服务器。",
        "hot": "温度过高：请检查风扇与通风。",
        "disk_low": "磁盘空间即将用尽。",
    },
    signals={"ok": "有", "none": "无信号", "failing": "无画面"},
    box="本终端",
    signal="信号",
    pictures="画面",
    none_flow="无",
    sent="已发送到服务器",
    yes="是",
    no="否",
    encoder="编码器",
    uplink="网络可承载",
    server="服务器",
    device="设备注册",
    not_enrolled="未注册",
    room="会诊室",
    away="当前不在其中",
    clock="与服务器的时钟差",
    temperature="温度",
    kept="为断网保留的画面",
    buffer="等待断网补传",
    memory="内存",
    disk="磁盘剩余",
    version="版本",
    log="日志",
)
WORDS: Final[Mapping[Language, Words]] = {"en": _EN, "zh": _ZH}
