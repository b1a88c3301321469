/** When the page itself fails. Not in the dictionary: its page must work when little else does. */
export const brokenEn = {
  title: "This page has failed",
  body: "It is our mistake, not yours. Load it again to go on: in a consultation you come back to your place.",
  reload: "Load again",
};

export const brokenZh: typeof brokenEn = {
  title: "页面出错了",
  body: "这是我们的问题，不是您的操作所致。请重新加载；如正在会诊，您会回到原来的位置。",
  reload: "重新加载",
};
