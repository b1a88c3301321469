// Run last: every text file also as the service sends it to browsers, so that nothing is compressed twice.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const dist = new URL("../dist/", import.meta.url);
const TEXT = /\.(?:js|css|html|svg)$/;
const best = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };

for (const name of readdirSync(dist, { recursive: true }).filter((one) => TEXT.test(one))) {
  const content = readFileSync(new URL(name, dist));
  writeFileSync(new URL(`${name}.gz`, dist), gzipSync(content, { level: 9 }));
  writeFileSync(new URL(`${name}.br`, dist), brotliCompressSync(content, best));
}
