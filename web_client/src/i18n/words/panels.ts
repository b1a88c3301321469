import { chatEn, chatZh } from "./chat";
import { hostingEn, hostingZh } from "./hosting";
import { opinionEn, opinionZh } from "./opinion";
import { roomNoticesEn, roomNoticesZh } from "./roomNotices";
import { takingPartEn, takingPartZh } from "./takingPart";

/** What stands around the pictures of a room. */
export const panelsEn = {
  ...chatEn,
  ...hostingEn,
  ...opinionEn,
  ...roomNoticesEn,
  ...takingPartEn,

  close: "Close",

  cancel: "Cancel",

  noConnection: "No connection to the service. Wait until it is back, then try again.",

  header: {
    question: "Question",
    questionTitle: "What the site wants to know",
    noQuestion: "The site has not written a question.",
    site: (name: string) => `Asked by ${name}`,
  },

  people: {
    guest: "Guest",
    host: "Host",
    seats: (count: number) => `in ${count} windows`,
    remove: "Remove",
    removeNamed: (name: string) => `Remove ${name} from the room`,
    removeAsk: (name: string) => `Remove ${name} from the room?`,
    removeGuest: "The invitation ends, too. To let this guest back in, invite again.",
    removeMember: "The connection ends at once. To come back, they have to be let in.",
    sharing: "sharing a screen",
  },

  screen: {
    share: "Share screen",
    stop: "Stop sharing",
    asking: "Choose a screen…",
    shareLong: "Show a window or the whole screen to everyone (S)",
    stopLong: "Stop sharing the screen (S)",
    sharing: "Everyone in the room sees your screen.",
  },

  settings: {
    open: "Settings",
    title: "Settings",
    language: "Language",
    keys: "Keys",
  },

  seats: {
    also: "You are also here in another window. Sound plays in both.",
    only: "Use only this one",
    both: "Keep both",
  },

  keys: {
    chat: "Chat",
    people: "People",
    screen: "Share the screen or stop",
    pause: "Privacy pause or go on (hosts)",
    zoom: "Larger, smaller, whole picture",
    question: "Show the question",
    escape: "Close a panel",
  },
};

export const panelsZh: typeof panelsEn = {
  ...chatZh,
  ...hostingZh,
  ...opinionZh,
  ...roomNoticesZh,
  ...takingPartZh,

  close: "关闭",

  cancel: "取消",

  noConnection: "与服务的连接已断开。请等待恢复后重试。",

  header: {
    question: "会诊问题",
    questionTitle: "邀请方希望解决的问题",
    noQuestion: "邀请方尚未填写问题。",
    site: (name: string) => `由${name}提出`,
  },

  people: {
    guest: "来宾",
    host: "主持",
    seats: (count: number) => `在 ${count} 个窗口中`,
    remove: "移出",
    removeNamed: (name: string) => `将${name}移出会诊室`,
    removeAsk: (name: string) => `将${name}移出会诊室？`,
    removeGuest: "其邀请同时失效。如需再次进入，请重新邀请。",
    removeMember: "连接将立即断开。再次进入须经允许。",
    sharing: "正在共享屏幕",
  },

  screen: {
    share: "共享屏幕",
    stop: "停止共享",
    asking: "请选择屏幕…",
    shareLong: "向所有人展示窗口或整个屏幕（S）",
    stopLong: "停止共享屏幕（S）",
    sharing: "所有人都能看到您的屏幕。",
  },

  settings: {
    open: "设置",
    title: "设置",
    language: "语言",
    keys: "快捷键",
  },

  seats: {
    also: "您还在另一个窗口中参加本会诊，两处都会播放声音。",
    only: "只用此窗口",
    both: "两个都保留",
  },

  keys: {
    chat: "聊天",
    people: "人员",
    screen: "共享屏幕或停止共享",
    pause: "暂停画面与声音或继续（主持）",
    zoom: "放大、缩小、完整画面",
    question: "查看会诊问题",
    escape: "关闭面板",
  },
};
