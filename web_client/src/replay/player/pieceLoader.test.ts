import { describe, expect, it } from "vitest";
import { ReplayError, type ProblemCode, type WantedPiece } from "../worker/protocol";
import { PieceCache } from "./pieceCache";
import { PieceLoader } from "./pieceLoader";

const pieces = (from: number, count: number, track = "t"): WantedPiece[] =>
  Array.from({ length: count }, (_, at) => ({
    track,
    generation: 0,
    number: from + at,
    object: `${track}/${from + at}`,
    sha256: "",
    size: 10,
  }));

/** Runs that wait to be answered. */
class Service {
  readonly asked: { wanted: readonly WantedPiece[]; stop: AbortSignal; answer: () => void }[] = [];
  bad: Record<string, ProblemCode> = {};

  readonly loader = new PieceLoader(
    (wanted, stop) =>
      new Promise((resolve) => {
        const answer = () => {
          resolve(wanted.map(({ object }) => this.bad[object] ?? new TextEncoder().encode(object).buffer));
        };
        this.asked.push({ wanted, stop, answer });
      }),
  );

  get objects(): string[][] {
    return this.asked.map(({ wanted }) => wanted.map(({ object }) => object));
  }
}

const never = () => new AbortController().signal;
const text = async (data: Promise<ArrayBuffer> | undefined) => new TextDecoder().decode(await data);
/** Until what was answered has been worked on. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

describe("loading pieces", () => {
  it("asks for a whole run at once, and gives each piece its own data", async () => {
    const service = new Service();
    const found = service.loader.load(pieces(1, 3), true, never());
    expect(service.objects).toEqual([["t/1", "t/2", "t/3"]]);
    service.asked[0]?.answer();
    expect(await text(found[1])).toBe("t/2");
  });

  it("does not ask again for what was decrypted, only for what is missing between", async () => {
    const service = new Service();
    void service.loader.load(pieces(2, 2), true, never());
    service.asked[0]?.answer();
    await settled();
    const found = service.loader.load(pieces(1, 3), true, never());
    expect(service.objects.slice(1)).toEqual([["t/1"]]);
    service.asked[1]?.answer();
    expect(await Promise.all(found.map(text))).toEqual(["t/1", "t/2", "t/3"]);
    void service.loader.load(pieces(1, 3), true, never());
    expect(service.asked).toHaveLength(2);
  });

  it("lets what is waited for pass what comes later, which begins when nothing is waited for", async () => {
    const service = new Service();
    void service.loader.load(pieces(1, 1, "now"), true, never());
    void service.loader.load(pieces(1, 1, "later"), false, never());
    expect(service.objects).toEqual([["now/1"]]);
    service.asked[0]?.answer();
    await settled();
    expect(service.objects).toEqual([["now/1"], ["later/1"]]);
  });

  it("holds back what comes later while a picture is being decoded, unless somebody waits for it", () => {
    const service = new Service();
    service.loader.setCalm(false);
    const stop = never();
    void service.loader.load(pieces(1, 1), false, stop);
    expect(service.asked).toHaveLength(0);
    service.loader.hurry(stop);
    expect(service.asked).toHaveLength(1);
    void service.loader.load(pieces(5, 1), false, never());
    service.loader.setCalm(true);
    expect(service.asked).toHaveLength(1); // the first one is still waited for
    service.asked[0]?.answer();
  });

  it("gives up what is no longer wanted, whether it was begun or not", async () => {
    const service = new Service();
    const [begun, queued] = [new AbortController(), new AbortController()];
    const [first] = service.loader.load(pieces(1, 1, "a"), true, begun.signal);
    const [second] = service.loader.load(pieces(1, 1, "b"), false, queued.signal);
    begun.abort();
    queued.abort();
    await expect(first).rejects.toMatchObject({ code: "aborted" });
    await expect(second).rejects.toMatchObject({ code: "aborted" });
    expect(service.asked[0]?.stop.aborted).toBe(true);
    service.asked[0]?.answer();
    await settled();
    expect(service.asked).toHaveLength(1);
  });

  it("lets one piece that was altered fail alone", async () => {
    const service = new Service();
    service.bad = { "t/2": "altered" };
    const found = service.loader.load(pieces(1, 3), true, never());
    service.asked[0]?.answer();
    await expect(found[1]).rejects.toEqual(new ReplayError("altered", "t/2"));
    expect(await text(found[2])).toBe("t/3");
  });
});

describe("what was decrypted", () => {
  it("is kept up to a bound, what was wanted lately longest", () => {
    const cache = new PieceCache(30);
    for (const name of ["a", "b", "c"]) cache.put(name, new ArrayBuffer(10));
    cache.take("a");
    cache.put("d", new ArrayBuffer(10));
    expect(cache.take("b")).toBeNull();
    expect(cache.take("a")).not.toBeNull();
    expect(cache.sizeBytes).toBe(30);
    cache.put("huge", new ArrayBuffer(31));
    expect(cache.sizeBytes).toBe(0);
  });
});
