import { formEn, formZh } from "./form";
import { inviteEn, inviteZh } from "./invite";
import { boxesEn, boxesZh } from "./boxes";
import { settingsEn, settingsZh } from "./settings";

/** Sign-in, list, the way into a room, good-bye; form, invitation and settings have files of their own. */
export const pagesEn = {
  skip: "Skip to content",
  navigation: "Pages",
  back: "Back",

  signedOut: {
    expired: "Your sign-in has ended. Sign in again to go on.",
    reused: "Your sign-in was ended, because a copy of it was used elsewhere. Sign in again to go on.",
    closed: "This account is closed. Ask your administrator.",
    "other-tab": "You signed out in another tab of this browser.",
    copied: "This tab is a copy of another one. Go on there, or sign in here as well.",
    returning: "You come back to where you were.",
    opening: "Sign in to get to the page you opened.",
  },

  signIn: {
    showPassword: "Show",
    hidePassword: "Hide",
    showPasswordLong: "Show password",
    hidePasswordLong: "Hide password",
    capsLock: "Caps Lock is on.",
    code: "Code from your authenticator app",
    codeHint: "Six digits, new every 30 seconds.",
    wrongCode: "Password or code is wrong. Wait for the next code, then try again.",
    missingCode: "Enter the code your authenticator app shows.",
    closed: "This account is closed. Ask your administrator.",
    noSecondFactor:
      "This role needs a second factor, and the account has none yet. Ask your administrator to set it up.",
    waitFor: (seconds: number) => `You can try again in ${seconds} s.`,
    again: "You can try again now.",
  },

  unreachable: {
    title: "The service does not answer",
    now: "Try now",
  },

  noSuchPage: {
    title: "There is no such page",
    body: "The address is incomplete or from an older version.",
  },
  siteOnly: {
    title: "This page is for the on-site team",
    body: "The team beside the patient opens consultations and uses the on-site page. You can join as a specialist from the list.",
  },

  list: {
    noneSite: "Open one with the request form. Consultations that others invite you to appear here, too.",
    stale: "The service cannot be reached. What you see may be out of date; this page tries again by itself.",
    since: (time: string, span: string) => `Open since ${time} (${span})`,
    lasted: (span: string) => `lasted ${span}`,
    nobodyIn: "nobody in the room",
    peopleIn: (count: number) => (count === 1 ? "1 person in the room" : `${count} people in the room`),
    site: (name: string) => `Site: ${name}`,
    retention: (name: string) => `Kept as: ${name}`,
    onSite: "On-site page",
    onSiteNamed: (header: string) => `On-site page of ${header}`,
    search: "Search",
    searchHint: "By patient header, specialty, site or room",
    found: (count: number) => `${count} found`,
    notFound: "Nothing found. Use fewer or other words.",
    closed: "Closed in the last 7 days",
    was: { recorded: "Was recorded", notRecorded: "Was not recorded" },
  },

  entry: {
    looking: "Looking for the room…",
    notOpen: "This room is not open.",
    notOpenHint: "The consultation has ended, has not begun, or you are not invited. Ask the site.",
    inviteNow: "Invite a guest by link",
  },

  goodbye: {
    left: "You have left the consultation",
    leftHint:
      "You can go back in while it is open. If you are done, finish, so that nobody else enters with your link.",
    goBack: "Go back in",
    finish: "Finish",
    finished: "Thank you for your help",
    finishedHint: "You can close this window now.",
    over: "Your visit has ended",
    overHint: (site: string) => `To come back, ask ${site} for a new link.`,
    theSite: "the site",
    signIn: "Sign in with an account",
  },

  form: formEn,
  invite: inviteEn,
  settings: settingsEn,
  boxes: boxesEn,
};

export const pagesZh: typeof pagesEn = {
  skip: "跳到正文",
  navigation: "页面",
  back: "返回",

  signedOut: {
    expired: "登录已失效，请重新登录后继续。",
    reused: "登录凭据在别处被使用，为安全起见已退出。请重新登录后继续。",
    closed: "该账号已停用，请联系管理员。",
    "other-tab": "您已在本浏览器的另一个标签页中退出登录。",
    copied: "本标签页是另一个标签页的副本。请回到原标签页继续，或在此重新登录。",
    returning: "登录后将回到刚才的页面。",
    opening: "登录后即可进入您打开的页面。",
  },

  signIn: {
    showPassword: "显示",
    hidePassword: "隐藏",
    showPasswordLong: "显示密码",
    hidePasswordLong: "隐藏密码",
    capsLock: "大写锁定已开启。",
    code: "身份验证器中的验证码",
    codeHint: "6 位数字，每 30 秒更新一次。",
    wrongCode: "密码或验证码不正确。请等待下一个验证码后重试。",
    missingCode: "请输入身份验证器显示的验证码。",
    closed: "该账号已停用，请联系管理员。",
    noSecondFactor: "该角色必须使用双重验证，但账号尚未设置。请联系管理员。",
    waitFor: (seconds) => `${seconds} 秒后可以重试。`,
    again: "现在可以重试。",
  },

  unreachable: {
    title: "服务没有响应",
    now: "立即重试",
  },

  noSuchPage: {
    title: "没有这个页面",
    body: "地址不完整，或来自旧版本。",
  },
  siteOnly: {
    title: "此页面仅供现场团队使用",
    body: "会诊由患者身边的团队发起，现场页面也由其使用。您可以从列表中以会诊专家身份加入。",
  },

  list: {
    noneSite: "请填写会诊申请单发起会诊。其他机构邀请您参加的会诊也会显示在这里。",
    stale: "无法连接服务，显示的内容可能不是最新；页面会自动重试。",
    since: (time, span) => `${time} 开始（${span}）`,
    lasted: (span) => `历时 ${span}`,
    nobodyIn: "会诊室内无人",
    peopleIn: (count) => `会诊室内 ${count} 人`,
    site: (name) => `邀请方：${name}`,
    retention: (name) => `保存类别：${name}`,
    onSite: "现场页面",
    onSiteNamed: (header) => `现场页面：${header}`,
    search: "搜索",
    searchHint: "按患者信息、专科、邀请方或会诊室搜索",
    found: (count) => `找到 ${count} 项`,
    notFound: "没有找到。请减少或更换关键词。",
    closed: "最近 7 天内结束的会诊",
    was: { recorded: "已录像", notRecorded: "未录像" },
  },

  entry: {
    looking: "正在查找会诊室…",
    notOpen: "该会诊室未开放。",
    notOpenHint: "会诊已结束、尚未开始，或您未被邀请。请联系现场。",
    inviteNow: "用链接邀请外部专家",
  },

  goodbye: {
    left: "您已离开会诊",
    leftHint: "会诊结束前您可以随时返回。如果已经完成，请点击“完成”，以免他人用您的链接进入。",
    goBack: "返回会诊",
    finish: "完成",
    finished: "感谢您的帮助",
    finishedHint: "现在可以关闭本窗口。",
    over: "您的访问已结束",
    overHint: (site) => `如需再次进入，请向${site}索取新的链接。`,
    theSite: "现场",
    signIn: "用账号登录",
  },

  form: formZh,
  invite: inviteZh,
  settings: settingsZh,
  boxes: boxesZh,
};
