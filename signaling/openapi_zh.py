"""The API's description in Chinese: `x-summary-zh` and `x-description-zh` beside the English words.

A test insists that every described operation is here.
"""

from __future__ import annotations

from typing import Final

from signaling.api import Operation

INFO: Final = "错误以问题文档（RFC 9457）返回，其中的 code 固定不变。"
TITLES: Final = {
    "sign-in": "登录与退出",
    "people": "机构与人员",
    "devices": "采集终端",
    "consultations": "会诊",
    "invitations": "邀请来宾",
    "rooms": "会诊室：令牌、WebSocket、文件、定格画面",
    "media": "仅用 HTTP 发布与观看",
    "archive": "归档（供档案审核员）：密文与证明",
    "log": "归档日志：检查点、证明、见证方",
    "operation": "供运维人员与工具使用",
}
_RANGES: Final = "支持 Range、If-Range 与 If-None-Match"
_PREFLIGHT: Final = "；CORS 预检"
SUMMARIES: Final = {
    "login": "用用户名和密码登录；设有第二因素的还须提供验证码",
    "refresh": "用刷新令牌换取新令牌，仅限一次",
    "logout": "结束本次登录，其令牌与会诊室连接随之失效",
    "logout_others": "结束本人除本次以外的所有登录",
    "change_password": "修改本人密码；本人的其他登录随之结束",
    "service_login": "本系统的服务用其密钥登录",
    "me": "当前登录者",
    "list_organisations": "可邀请的机构",
    "list_devices": "本机构的采集终端及其状态",
    "add_device": "登记本机构的一台采集终端；一次性注册码仅在此时显示",
    "device_code": "为采集终端生成新的一次性注册码；之前的注册码随即失效",
    "device_revoke": "作废采集终端的密钥：其画面立即结束；可重新注册",
    "device_log": "采集终端日志在若干分钟内的详细程度",
    "enrol": "用一次性注册码登记采集终端自己的密钥",
    "device_challenge": "供采集终端签名的质询，仅限一次",
    "device_token": "凭已签名的质询：终端所接入的会诊及其令牌",
    "backfill_lease": "凭已签名的质询：本次会诊的封存公钥，以及断网补传的权利",
    "backfill_ask": "终端本地缓存：先提交链头，再询问归档缺少哪些部分",
    "backfill_piece": "终端缓存的一个密封片段；X-Lease：租约",
    "backfill_next": "终端关于其缓存的下一个问题；三秒内没有则为 null",
    "backfill_question_piece": "随问题送来的密封片段",
    "backfill_answer": "录制端给终端的答复",
    "device_kiosk": "凭已签名的质询：终端旁显示屏的一次性链接；须经会诊主持方允许进入",
    "invite_organisation": "邀请另一机构的人员参加；重复操作无影响",
    "list_taking_part": "人员参加会诊的机构，邀请方在前",
    "list_attached": "可在此发布画面的采集终端",
    "attach_device": "允许本机构的一台采集终端在此发布；重复操作无影响",
    "detach_device": "采集终端不再在此发布，其画面立即结束",
    "invite": "一位来宾的链接，仅在此时显示",
    "list_invitations": "本次会诊的邀请，最新的在前",
    "revoke_invitation": "撤销邀请；凭该邀请进入的来宾须离开",
    "list_consultations": "本人参加的会诊，最新的在前；录像服务可见全部",
    "open": "发起会诊；保存任何内容之前先将患者姓名脱敏",
    "list_retention_choices": "录像可保存多久：发起会诊时可选的保存类别",
    "show_consultation": "一次会诊",
    "close": "结束会诊：通知所有人，停止一切音视频；重复操作无影响",
    "room_token": "会诊室令牌，用于 WebSocket 与文件",
    "redeem": "用邀请令牌换取来宾登录，仅限一次",
    "send_file": "上传文件，供聊天消息引用。X-File-Name：文件名，百分号编码的 UTF-8",
    "fetch_file": "聊天中的一个文件",
    "send_still": "take_still 所要的那一帧，由采集终端以 PNG 上传。Content-Digest：SHA-256（RFC 9530）",
    "fetch_still": "定格的一帧，仅限可看该画面者",
    "fetch_file_for_archive": "聊天中的一个文件，供归档",
    "list_opinions": "书面会诊意见，最早的在前；随会诊保存",
    "log_checkpoint": "日志的最新检查点：签名文本（c2sp.org/tlog-checkpoint）",
    "log_keys": "日志的验证公钥，以及见证方的公钥",
    "log_inclusion": "某一叶在日志中的证明（RFC 6962）",
    "log_consistency": "日志只增不改的证明（RFC 6962）",
    "log_cosign": "已登记见证方对检查点的联署（c2sp.org/tlog-cosignature）",
    "log_entries": "日志的叶；其他机构会诊的只给出哈希",
    "log_awaited": "日志尚不知其归档结尾的会诊",
    "report_head": "归档当前的位置，由录像服务签名；每 10 秒一次，结束时再报一次",
    "list_archives": "本机构已归档的会诊，最新的在前，每次 100 项",
    "list_archive_signers": "本服务信任的归档签名公钥",
    "list_archive_people": "其签名决定有效的人员的公钥",
    "archive_logged": "归档日志中关于它的内容：叶，以及相对最新检查点的证明",
    "show_archive": "一次已归档的会诊，以及文件夹中未被任何条目提及的文件",
    "replay": "开始回放：先写入审计记录，然后才提供内容",
    "archive_manifest": f"当前的清单。{_RANGES}",
    "archive_key": f"封装后的密钥。{_RANGES}",
    "archive_closing": f"结束标记。{_RANGES}",
    "archive_decisions": f"此后作出的决定。{_RANGES}",
    "archive_piece": f"清单条目所指的片段或初始片段，永不改变。{_RANGES}",
    "archive_run": "前后相接的多个片段；遇到与条目不符的片段即止",
    "archive_events": f"清单条目所指的事件，永不改变。{_RANGES}",
    "archive_file": f"清单条目所指的聊天文件，永不改变。{_RANGES}",
    "archive_keeping": "归档保存多久，以及对它的封存、决定与申请",
    "archive_hold": "封存：封存期间不能永久销毁该归档",
    "archive_ask": "申请永久销毁、启封或导出；须由另一人批准",
    "archive_approve": "批准他人的申请：立即执行",
    "archive_withdraw": "撤回尚无人批准的申请",
    "list_archive_requests": "等待第二人批准的申请",
    "set_retention": "延长归档的保存：改用另一保存类别",
    "list_retention_classes": "本机构的保存类别",
    "propose_retention_class": "提出一个保存类别；须由另一人批准",
    "approve_retention_class": "批准他人提出的保存类别",
    "room_socket": "会诊室的 WebSocket：消息见 core/messages.py；第一条是带会诊室令牌的 hello",
    "whip": "发布画面：WHIP（RFC 9725）",
    "whip_options": f"可以提交的内容{_PREFLIGHT}",
    "whip_patch": "补充候选地址，或重启 ICE",
    "whip_end": "结束该连接",
    "whip_session_options": f"可以修改的内容{_PREFLIGHT}",
    "whep": "观看画面：WHEP（draft-ietf-wish-whep）",
    "whep_options": f"可以提交的内容{_PREFLIGHT}",
    "whep_patch": "补充候选地址，或重启 ICE",
    "whep_end": "结束该连接",
    "whep_session_options": f"可以修改的内容{_PREFLIGHT}",
    "healthz": "进程有响应",
    "readyz": "可以提供服务：数据库有响应且已连接媒体进程；否则 503",
    "metrics": "本进程的指标",
    "openapi": "本说明",
    "docs": "本说明，供浏览",
}
_ROLES: Final = {
    "specialist": "会诊专家",
    "site": "现场人员",
    "auditor": "档案审核员",
    "admin": "管理员",
    "recorder": "录像服务",
    "guest": "来宾",
}
_SCOPES: Final = {
    "none": "",
    "self": "，仅限本人",
    "part": "，须参加该会诊（其他人返回 404）",
    "host": "，须属于发起会诊的机构（参加会诊的其他人返回 403，无关者返回 404）",
    "own": "，须属于发起会诊的机构（参加会诊的其他人返回 403，无关者返回 404）",
}


def extensions(operation: Operation) -> dict[str, str]:
    """What is added to an operation's description; nothing of a summary that is not translated yet."""
    summary = SUMMARIES.get(operation.name)
    found = {} if summary is None else {"x-summary-zh": summary}
    return found | {"x-description-zh": _who(operation)}


def _who(operation: Operation) -> str:
    if operation.who == "anyone":
        return "无需登录。"
    if operation.who == "room":
        needs = f"，须允许 {'、'.join(operation.grants)}" if operation.grants else ""
        return f"须有本会诊室的令牌{needs}。"
    roles = "、".join(_ROLES[role] for role in operation.who)
    return f"供{roles}使用{_SCOPES[operation.scope]}。"
