import { describe, expect, it } from "vitest";
import { findConsultations } from "./find";

const files = (...paths: string[]) => new Map(paths.map((path) => [path, new File([], "x")]));
const prefixes = (...paths: string[]) => findConsultations(files(...paths)).map(({ prefix }) => prefix);

describe("consultations in a folder that was chosen", () => {
  it("are found whether their own folder, the archive's or one above was chosen", () => {
    expect(prefixes("c_1/manifest.jsonl", "c_1/closed.json")).toEqual(["c_1/"]);
    expect(prefixes("archive/c_2/manifest.jsonl", "archive/c_1/manifest.jsonl")).toEqual([
      "archive/c_1/",
      "archive/c_2/",
    ]);
    expect(prefixes("stick/replay.html", "stick/archive/c_1/manifest.jsonl")).toEqual(["stick/archive/c_1/"]);
  });

  it("are found without their manifest, so that it can be said to be missing", () => {
    expect(prefixes("archive/c_1/tracks/a-device-video/000/000001.m4s.age")).toEqual(["archive/c_1/"]);
    expect(prefixes("c_1/session.key.age")).toEqual(["c_1/"]);
  });

  it("are not seen in what looks alike, or is being made", () => {
    expect(prefixes("music/tracks/one.mp3", "music/files/list.txt", "log/entries.jsonl")).toEqual([]);
    expect(prefixes("archive/.new-c_1/manifest.jsonl")).toEqual([]);
  });

  it("are named by their folders", () => {
    expect(findConsultations(files("archive/c_1/manifest.jsonl"))[0]?.name).toBe("c_1");
  });
});
