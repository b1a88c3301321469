/** The page's own words. Names and notes of fields stay as they are in the description. */
const en = {
  title: "Teleconsult API",
  document: "The same for programs",
  filter: "Find an operation",
  contents: "Operations",
  schemas: "Schemas",
  parameters: "Parameters",
  request: "Send",
  answers: "Answers",
  example: "Example",
  field: "Field",
  type: "Type",
  note: "Note",
  required: "required",
  none: "No operation matches. Delete a word to see more.",
  failed: "The description cannot be loaded. Reload the page to try again.",
  loading: "Loading…",
};

const zh: Words = {
  title: "Teleconsult 接口",
  document: "供程序读取的版本",
  filter: "查找接口",
  contents: "接口",
  schemas: "数据结构",
  parameters: "参数",
  request: "发送",
  answers: "返回",
  example: "示例",
  field: "字段",
  type: "类型",
  note: "说明",
  required: "必填",
  none: "没有匹配的接口。请减少关键词。",
  failed: "无法加载接口说明。请刷新页面重试。",
  loading: "正在加载…",
};

export type Words = typeof en;

/** As the rest of the client: the remembered choice, else the browser's. */
export function wordsFor(remembered: string | null, preferred: readonly string[]): [string, Words] {
  const wanted = remembered ?? preferred.find((tag) => /^(zh|en)\b/i.test(tag)) ?? "en";
  return /^zh/i.test(wanted) ? ["zh-CN", zh] : ["en", en];
}
