import type { Language } from "../language";

const headsEn = {
  title: "Proof this browser keeps",
  save: (count: number) => `Save the heads this browser saw (${count})`,
  hint: "A small file with signatures, no patient data. With it, anybody can show later that an archive was shortened or removed.",
  none: "This browser has not seen any heads of archives yet.",
};

/** Words of what a browser keeps of archives. */
export const HEADS_WORDS: Record<Language, typeof headsEn> = {
  en: headsEn,
  "zh-CN": {
    title: "本浏览器留存的证据",
    save: (count) => `保存本浏览器看到的链头（${count} 个）`,
    hint: "一个只含签名、不含患者信息的小文件。日后凭它可以证明某份归档被缩短或删除。",
    none: "本浏览器尚未看到任何归档的链头。",
  },
};
