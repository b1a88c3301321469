/** What a guest finds behind an invitation's link. */
export const inviteEn = {
  title: "You are invited to a consultation",
  body: "You enter as a guest. No account is needed.",
  name: "Your name",
  nameHint: "Everyone in the room sees it. Leave it empty to be called as in the invitation.",
  enter: "Go on",
  entering: "One moment…",
  next: "Next you choose microphone and camera. The link works once: go on only on the device you want to use.",
  signedInAs: (name: string) => `You are signed in as ${name}. Going on signs you out in this tab.`,
  toList: "To your consultations",
  trouble: {
    unreachable: "The service cannot be reached. Check the network, then try again.",
    throttled: "Too many attempts. Wait a moment, then try again.",
    refusedName: "The service does not take this name. Use letters only, and at most 100.",
  },
  refused: {
    unknown: {
      title: "This link is not valid",
      body: "Perhaps a part of it is missing. Copy the whole link, or ask the site for a new one.",
    },
    used: {
      title: "This link was used already",
      body: "It lets one person in, once. If that was you, go back to the tab where you entered; else tell the site at once and ask for a new link.",
    },
    expired: {
      title: "This link has expired",
      body: "Its time is over, or the consultation has ended. Ask the site for a new link.",
    },
    revoked: {
      title: "This link was withdrawn",
      body: "The site took the invitation back. Ask there if this was a mistake.",
    },
    incomplete: {
      title: "This link is incomplete",
      body: "Open the link from your invitation again. It ends with a long row of letters and digits.",
    },
  },
};

export const inviteZh: typeof inviteEn = {
  title: "您受邀参加会诊",
  body: "您将以来宾身份进入，无需账号。",
  name: "您的姓名",
  nameHint: "会诊室内所有人都能看到。留空则使用邀请中的姓名。",
  enter: "继续",
  entering: "请稍候…",
  next: "下一步选择麦克风和摄像头。链接只能使用一次：请在您要使用的设备上继续。",
  signedInAs: (name) => `您已登录为 ${name}。继续将在本标签页中退出该账号。`,
  toList: "返回会诊列表",
  trouble: {
    unreachable: "无法连接服务。请检查网络后重试。",
    throttled: "尝试次数过多，请稍候再试。",
    refusedName: "无法使用该姓名。请只用文字，且不超过 100 个字符。",
  },
  refused: {
    unknown: {
      title: "链接无效",
      body: "链接可能不完整。请复制完整的链接，或向现场索取新的链接。",
    },
    used: {
      title: "链接已被使用",
      body: "每个链接只能让一人进入一次。如果是您本人，请回到当时进入的标签页；否则请立即告知现场，并索取新的链接。",
    },
    expired: {
      title: "链接已过期",
      body: "链接已超过有效期，或会诊已结束。请向现场索取新的链接。",
    },
    revoked: {
      title: "邀请已被撤回",
      body: "现场撤回了这份邀请。如有误会，请与现场联系。",
    },
    incomplete: {
      title: "链接不完整",
      body: "请重新打开邀请中的链接，其末尾是一长串字母和数字。",
    },
  },
};
