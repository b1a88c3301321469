import type { Language } from "../language";

/** The page that replays without a service (`teleconsult archive replay-page`). What both replays say is in `replay`. */
const en = {
  title: "Replay without a service",
  intro:
    "This page shows an archived consultation and checks that it is genuine, on this computer alone. It has no network: nothing you choose or type leaves it.",
  insecure:
    "This browser gives the page no cryptography here. Open the file itself from the disk, not through http://.",
  noMedia: "This browser cannot play recorded pictures. Open this page in Chrome, Edge or Firefox.",
  noCodec: (codecs: string) =>
    `This browser does not play ${codecs}. Verification works all the same; to see those pictures, open this page in Chrome or Edge.`,
  folder: {
    title: "1. The archive's folder",
    body: "Choose the consultation's folder, or the archive's folder that it lies in. You may also drop it anywhere on this page.",
    input: "Archive folder",
    choose: "Choose the folder…",
    upload:
      "The browser may ask whether to “upload” the files. It only lets this page read them; this page can send nothing.",
    reading: (count: string) => `Reading the folder: ${count} files…`,
    chosen: (name: string) => `Folder: ${name}`,
    another: "Choose another folder",
    several: "There are several consultations. Which one?",
    file: "That is a file, not a folder. Drop the whole folder.",
    wrong: (name: string, count: string) =>
      `There is no archived consultation in “${name}” (${count} files). The right folder holds manifest.jsonl, session.key.age and a folder called tracks, or folders that do.`,
    empty: "That folder is empty, or the browser may not read it. Choose the archive's folder.",
    unreadable: "The folder cannot be read. Is the disk still plugged in? Choose the folder again.",
    tooMany: "There are too many files in that folder. Choose the consultation's own folder.",
  },
  viewer: {
    title: "2. Who is looking, and the key",
    body: "Pictures and sound are encrypted. A custodian's key opens them here; it stays in this window's memory and is forgotten when you lock it or close the page.",
    name: "Your name",
    nameHint:
      "It is shown all over the pictures. No service puts this replay on record: note it down yourself.",
    file: "Identity file",
    paste: "Paste the key instead",
    pasted: "Key (AGE-SECRET-KEY-1…, or an age file that begins with -----BEGIN)",
    passphrase: "Passphrase, if the key has one",
    open: "Show the pictures",
    working: "One moment; a passphrase takes some seconds…",
    ready: (name: string, recipient: string) => `${name} · key ${recipient}`,
    lock: "Forget the key",
    problems: {
      noName: "Type your name first.",
      noKey: "Choose your identity file, or paste the key.",
      "not-an-identity": "That is no age identity. It has a line that begins with AGE-SECRET-KEY-1.",
      "protected-identity": "This key is protected by a passphrase. Type it, too.",
      "wrong-passphrase": "The passphrase is wrong. Try again.",
      failed: "That did not work. Reload the page, then try again.",
    } as Record<string, string>,
  },
  opening: {
    noManifest:
      "The manifest (manifest.jsonl) is missing from this folder. Without it nothing can be shown or verified. Was the whole folder copied?",
    noKeyFile:
      "The file with the wrapped key (session.key.age) is missing from this folder, and no decision to destroy it is there. Was the whole folder copied?",
    failed: "The archive cannot be opened. Is the disk still plugged in? Choose the folder again.",
  },
  shredded: {
    title: "This archive was shredded",
    body: (when: string) =>
      `On ${when} its key was destroyed by a recorded decision. Nobody can see or hear it again.`,
    reason: (reason: string) => `Reason given: ${reason}`,
    signed: "The decision bears the signature of a trusted archive.",
    unsigned: "Who decided it is not checked here: run “teleconsult archive verify”.",
  },
  mark: {
    matches: (entries: string) =>
      `This page was made for this archive. It vouches for entry ${entries} and everything before it.`,
    none: "This page was not made for this consultation: it vouches for nothing in it. What follows rests on the archive's own signatures.",
    shorter: "The archive is shorter than it was when this page was made.",
    differs: "This is another archive than the one this page was made for.",
  },
  page: {
    title: "About this page",
    signer: "Signed by",
    advice:
      "Anybody can make a page that says “intact”. Before you trust this one, compare its file's signature, or its SHA-256, with what you were given by another way.",
    trusted: "Keys that this page trusts: of archives, people who decide, logs, witnesses",
  },
  own: {
    unverifiable:
      "It does not contradict itself, but this page does not know the key that signed it. Compare the key below with one you got by another way.",
    signerAdvice:
      "The trusted keys were built into this page. Compare the key above with the one you were given by another way.",
  },
};

export type CourtroomWords = typeof en;

const zh: CourtroomWords = {
  title: "离线回放",
  intro:
    "本页面仅在这台电脑上回放已归档的会诊并校验其真伪。页面不连接网络，您选择或输入的任何内容都不会外传。",
  insecure: "浏览器在此环境下不提供加密功能。请直接从磁盘打开本文件，不要通过 http:// 打开。",
  noMedia: "此浏览器无法播放录像。请用 Chrome、Edge 或 Firefox 打开本页面。",
  noCodec: (codecs) =>
    `此浏览器无法播放 ${codecs}。校验不受影响；如需观看这些画面，请用 Chrome 或 Edge 打开本页面。`,
  folder: {
    title: "1. 归档文件夹",
    body: "请选择会诊文件夹，或其所在的归档文件夹。也可以将文件夹拖放到本页面任意位置。",
    input: "归档文件夹",
    choose: "选择文件夹…",
    upload: "浏览器可能询问是否“上传”文件。这只是允许本页面读取；本页面无法发送任何内容。",
    reading: (count) => `正在读取文件夹：${count} 个文件…`,
    chosen: (name) => `文件夹：${name}`,
    another: "选择其他文件夹",
    several: "其中有多场会诊，请选择一场：",
    file: "这是单个文件，不是文件夹。请拖放整个文件夹。",
    wrong: (name, count) =>
      `“${name}”（${count} 个文件）中没有已归档的会诊。正确的文件夹应含有 manifest.jsonl、session.key.age 和名为 tracks 的文件夹，或含有这样的文件夹。`,
    empty: "该文件夹为空，或浏览器无权读取。请选择归档文件夹。",
    unreadable: "无法读取该文件夹。磁盘是否仍然连接？请重新选择文件夹。",
    tooMany: "该文件夹中的文件过多，请选择该场会诊自己的文件夹。",
  },
  viewer: {
    title: "2. 观看者与密钥",
    body: "画面与声音均已加密，需用保管人的密钥在此处解密。密钥只保存在本窗口的内存中，清除密钥或关闭页面后即不复存在。",
    name: "您的姓名",
    nameHint: "姓名会显示在所有画面上。本次回放不会由系统留痕，请自行记录。",
    file: "身份文件",
    paste: "改为粘贴密钥",
    pasted: "密钥（AGE-SECRET-KEY-1…，或以 -----BEGIN 开头的 age 文件）",
    passphrase: "密钥的口令（如有）",
    open: "显示画面",
    working: "请稍候，受口令保护的密钥需要数秒…",
    ready: (name, recipient) => `${name} · 密钥 ${recipient}`,
    lock: "清除密钥",
    problems: {
      noName: "请先填写您的姓名。",
      noKey: "请选择身份文件，或粘贴密钥。",
      "not-an-identity": "这不是 age 身份密钥，其中应有以 AGE-SECRET-KEY-1 开头的一行。",
      "protected-identity": "该密钥受口令保护，请一并输入口令。",
      "wrong-passphrase": "口令不正确，请重试。",
      failed: "操作未成功。请刷新页面后重试。",
    },
  },
  opening: {
    noManifest: "文件夹中缺少清单（manifest.jsonl），因此无法回放，也无法校验。是否复制了整个文件夹？",
    noKeyFile: "文件夹中缺少加密的会诊密钥（session.key.age），也没有销毁它的决定。是否复制了整个文件夹？",
    failed: "无法打开归档。磁盘是否仍然连接？请重新选择文件夹。",
  },
  shredded: {
    title: "该归档已被永久销毁",
    body: (when) => `其密钥已于 ${when} 依记录在案的决定销毁，任何人都无法再观看或收听。`,
    reason: (reason) => `所述理由：${reason}`,
    signed: "该决定带有受信任归档的签名。",
    unsigned: "此处未核实由谁决定，请运行“teleconsult archive verify”。",
  },
  mark: {
    matches: (entries) => `本页面是为这份归档制作的，为其第 ${entries} 项及之前的全部内容作证。`,
    none: "本页面不是为这场会诊制作的，不为其作证。以下结论仅依据归档自身的签名。",
    shorter: "这份归档比制作本页面时短。",
    differs: "这份归档不是制作本页面时的那一份。",
  },
  page: {
    title: "关于本页面",
    signer: "签名密钥",
    advice:
      "任何人都能制作一个显示“完整”的页面。信任本页面之前，请将其文件签名或 SHA-256 与您通过其他途径获得的信息比对。",
    trusted: "本页面信任的密钥（归档、决定人、日志、见证方）",
  },
  own: {
    unverifiable: "内容自身没有矛盾，但本页面不认识签名密钥。请将下方密钥与您通过其他途径获得的密钥比对。",
    signerAdvice: "受信任的密钥已写入本页面。请将上方密钥与您通过其他途径获得的密钥比对。",
  },
};

export const COURTROOM_WORDS: Record<Language, CourtroomWords> = { en, "zh-CN": zh };
