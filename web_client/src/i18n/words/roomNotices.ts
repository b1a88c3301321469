/** What stands between a person and the room: connection, recording, endings. */
export const roomNoticesEn = {
  link: {
    network: "Connection to the service lost. Reconnecting",
    restarting: "The service restarts. Reconnecting",
    "too-slow": "Your network was too slow to keep up. Reconnecting",
    flood: "Too much was sent at once. Reconnecting in a moment",
    token: "Renewing the permission to be here",
    since: (span: string) => `for ${span}.`,
    now: "Try now",
    offline: "This computer has no network. Check the cable or the Wi-Fi; the room comes back by itself.",
  },

  /** By what the recorder says, as told in the room; empty: it does not say. */
  recordingFailed: {
    "": "Recording has failed: nothing is archived now. Tell your IT department; the consultation goes on.",
    disk_full:
      "The archive's disk is full: nothing is recorded now. Tell your IT department; the consultation goes on.",
    disk_fails:
      "The archive's disk cannot be written: nothing is recorded now. Tell your IT department; the consultation goes on.",
    disk_slow:
      "The archive's disk is too slow: parts are not recorded now. Tell your IT department; the consultation goes on.",
    setup:
      "Recording is not set up completely: nothing is recorded. Tell your IT department; the consultation goes on.",
    recorder_left:
      "The recorder is gone: nothing is recorded until it is back. Tell your IT department; the consultation goes on.",
  },

  endings: {
    turnedAway: "The site did not let you in.",
    turnedAwayHint: "Call the site if you are expected, then ask again.",
    askAgain: "Ask again",
    takenOver: "You went on in another window.",
    takenOverHint:
      "This window sends and receives nothing any more. Come back here if you want to go on here.",
    comeBack: "Come back here",
    revoked: "Your invitation is no longer valid.",
    revokedHint: "Ask the site for a new link and open it. You can close this page.",
    guestEnded: "Thank you. You can close this page.",
    lobbyFull: "Too many people are waiting.",
    lobbyFullHint: "Wait a little, then try again.",
  },
};

export const roomNoticesZh: typeof roomNoticesEn = {
  link: {
    network: "与服务的连接已断开，正在重连",
    restarting: "服务正在重启，正在重连",
    "too-slow": "您的网络过慢，正在重连",
    flood: "短时间内发送过多，稍后重连",
    token: "正在更新进入权限",
    since: (span: string) => `已 ${span}。`,
    now: "立即重试",
    offline: "本机没有网络。请检查网线或无线网络，会诊室会自动恢复。",
  },

  recordingFailed: {
    "": "录像失败：目前没有归档。请联系信息科，会诊可继续。",
    disk_full: "归档磁盘已满：目前没有录像。请联系信息科，会诊可继续。",
    disk_fails: "归档磁盘无法写入：目前没有录像。请联系信息科，会诊可继续。",
    disk_slow: "归档磁盘过慢：目前有部分内容未录像。请联系信息科，会诊可继续。",
    setup: "录像尚未配置完整：目前没有录像。请联系信息科，会诊可继续。",
    recorder_left: "录像程序已离开：恢复之前没有录像。请联系信息科，会诊可继续。",
  },

  endings: {
    turnedAway: "邀请方没有让您进入。",
    turnedAwayHint: "如已有约，请先致电邀请方，然后再次请求进入。",
    askAgain: "再次请求进入",
    takenOver: "您已在另一个窗口中继续。",
    takenOverHint: "此窗口不再收发任何内容。如需在此继续，请返回此处。",
    comeBack: "返回此处",
    revoked: "您的邀请已失效。",
    revokedHint: "请向邀请方索取新的链接并打开。您可以关闭本页面。",
    guestEnded: "谢谢。您可以关闭本页面。",
    lobbyFull: "等候的人过多。",
    lobbyFullHint: "请稍候再试。",
  },
};
