/** What verification says is wrong, in Chinese: it speaks English, as the command line does. */
const REASONS: readonly [RegExp, string][] = [
  [/^its signature is wrong$/, "签名不正确"],
  [/^it does not follow the line before it$/, "与前一行不衔接"],
  [/^it follows the closing entry$/, "位于关闭条目之后"],
  [/^it belongs to another consultation$/, "属于另一场会诊"],
  [/^it is the archive of another consultation$/, "这是另一场会诊的归档"],
  [/^it is signed by a key that is not trusted$/, "签名密钥不受信任"],
  [/^its signer is not trusted$/, "签名者不受信任"],
  [/^its number does not follow$/, "编号不连续"],
  [/^its generation (does not follow|was never begun)$/, "代次不连续"],
  [/^its file is there already$/, "该文件已存在"],
  [/^its object's path is not its own$/, "片段路径与条目不符"],
  [/^its totals are wrong$/, "总计数字不符"],
  [/^its object is missing$/, "片段缺失"],
  [/^its object was altered$/, "片段被篡改"],
  [/^its piece lies in a privacy pause$/, "片段落在隐私暂停期间"],
  [/^a file no entry names$/, "存在没有条目的文件"],
  [/^entry (\d+) stands in its place$/, "此处是第 $1 项"],
  [/^an entry of kind (\w+) cannot stand here$/, "此处不应有 $1 条目"],
  [/^the manifest ends here, but (\d+) later objects exist$/, "清单到此为止，但还有 $1 个后续片段"],
  [/^the manifest ends here; it was closed with entry (\d+)$/, "清单到此为止，但它是以第 $1 项关闭的"],
  [/^the manifest is missing$/, "清单缺失"],
  [/^the manifest does not hold a whole entry$/, "清单中没有完整的条目"],
  [/^its line cannot be read.*$/, "该行无法读取"],
  [/^its line is damaged$/, "该行已损坏"],
  [/^bytes (follow the closing entry|stand where its line should end)$/, "存在多余的字节"],
  [/^closed\.json is not .*$/, "closed.json 与清单不符"],
  [/^before it, ([\d.]+) s of (\S+) are missing, and no gap says why$/, "在它之前，$2 缺少 $1 秒且没有说明"],
  [/^(\S+), who approved a decision, is not among the registered people$/, "批准决定的 $1 不在登记人员之中"],
  [/^decision (\d+): its signature is wrong$/, "第 $1 号决定的签名不正确"],
  [/^decision (\d+): the approval of (\S+) is not theirs$/, "第 $1 号决定中 $2 的批准并非本人所签"],
  [/^decision (\d+): too few people approved it$/, "第 $1 号决定的批准人数不足"],
  [/^decision (\d+): .*$/, "第 $1 号决定不成立"],
  [
    /^people decided about this archive later.*$/,
    "事后有人对该归档作出决定，请用 teleconsult archive verify 校验",
  ],
];

/** As it is where there is no translation: better in English than not at all. */
export function reasonInChinese(reason: string): string {
  const known = REASONS.find(([pattern]) => pattern.test(reason));
  return known === undefined ? reason : reason.replace(known[0], known[1]);
}
