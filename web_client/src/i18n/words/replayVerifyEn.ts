/** What verification found, and what it proves. A part of the replay's words. */
export const verifyEn = {
  title: "Is it genuine?",
  chain: (entries: string) => `The manifest's ${entries} entries follow each other, and each is signed.`,
  start: (pieces: string, size: string) => `Compare all ${pieces} parts (${size})`,
  again: "Verify again",
  looking: "Checking the manifest and the public log…",
  working: (done: string, total: string) => `Comparing part ${done} of ${total}…`,
  stop: "Stop",
  stopped: "Stopped before the end: nothing is said about this archive yet.",
  notCompared: (parts: string, size: string) =>
    `Its ${parts} parts (${size}) were not compared yet: that takes a while and fetches all of it.`,
  byManifest: "By its manifest",
  verdicts: {
    intact: "Intact",
    altered: "Altered",
    truncated: "Cut off",
    missing: "Something is missing",
    unverifiable: "Cannot be verified",
    shredded: "Destroyed by decision",
  },
  intact: (pieces: string, size: string) =>
    `${pieces} parts, ${size}, are all there and are what was written. No entry was left out, added or moved.`,
  open: "The consultation is still being recorded: this is true as far as it was written just now.",
  unverifiable:
    "It does not contradict itself, but this service does not know the key that signed it. Compare the key below with one you got by another way.",
  broken: (entry: number, reason: string) =>
    `The first thing wrong is entry ${entry}: ${reason}. What comes before it is good.`,
  reason: (text: string) => text,
  part: (path: string) => `Concerned: ${path}`,
  gaps: (count: number) =>
    count === 0
      ? "The recorder declared no gaps."
      : `The recorder declared ${count} gaps; they are marked on the timeline.`,
  signer: "Signed by",
  checked: (when: string) => `Verified here at ${when}.`,
  holes: (count: number) =>
    `${count} holes that no gap explains yet; while the consultation goes on, that may still come.`,
  failed: "The verification could not be finished. Try again.",
  decided: {
    title: "Decided later",
    and: " and ",
    shredded: (when: string, who: string) => `Its key was destroyed on ${when} by ${who}.`,
    policy: (name: string) => `Retention class: ${name}.`,
    removed: "The encrypted parts were removed, too. What is left shows that they were there.",
    kept: "The encrypted parts are still there; nobody can open them.",
    reason: (text: string) => `Reason: ${text}`,
    keyStillThere: "But the key is still there: run “archive shred --finish”.",
    rewrapped: (when: string, who: string, custodians: string) =>
      `Its key was wrapped anew on ${when} by ${who}. Custodians since then: ${custodians}.`,
    notLast: "But the key file is an older one, not that of the last decision.",
    holds: (names: string) => `It may not be destroyed: held for ${names}.`,
  },
  log: {
    title: "The public log",
    since: (when: string, entries: string) =>
      `In the log since ${when}. It vouches for ${entries} entries of the manifest, and each of them is there.`,
    closed: (when: string) => `Closed there on ${when}.`,
    checkpoint: (origin: string, size: string) =>
      `Each leaf about this consultation is proven to be among the ${size} leaves that ${origin} has signed.`,
    cosigned: (who: string) => `Also signed by the witnesses ${who}.`,
    notCosigned: "No witness has signed the newest checkpoint yet.",
    older: "This archive is older than the log, so the log says nothing about it.",
    keptNone: "This browser has kept nothing that could be compared. Whoever was in a consultation has.",
    kept: (heads: number, checkpoints: number) =>
      `What this browser kept agrees: ${heads} heads of this archive, ${checkpoints} checkpoints of the log.`,
    unusable: (count: number) => `${count} lines that it kept are signed by nobody and prove nothing.`,
    decided: (kinds: string) => `Decisions in the log: ${kinds}.`,
    kinds: {
      hold: "hold",
      release: "release",
      shred: "destroy",
      rewrap: "new custodians",
      export: "export",
    } as Record<string, string>,
    by: { log: "the log", kept: "what this browser kept" },
    problems: {
      leaf_unproven: () => "The service shows leaves that are not in the log it signed.",
      checkpoint_forged: () => "What the service shows as its log is not signed as it should be.",
      forked: () =>
        "The log is not the one this browser was shown before: it was written anew, or there are two.",
      entry_differs: (by: string) => `An entry of the manifest is not the one ${by} knows.`,
      not_recorded: () => "The log says that this consultation was not recorded.",
      goes_on: () => "The manifest goes on after the entry with which it was closed in the log.",
      recorded_while_stopped: () => "Something was recorded while the log says that recording was stopped.",
      stop_unfounded: () => "A gap says that recording was stopped; the log knows of nobody who did.",
      log_cut: () => "The log is shorter than this browser has seen it.",
      unknown_here: () =>
        "The log does not know this consultation: it was cut, or the archive was made beside it.",
      manifest_cut: (by: string) => `The manifest ends earlier than ${by} knows.`,
      unsigned: () => "The key of this log has not signed its checkpoint.",
      unavailable: () => "The log could not be asked, so nothing was compared with it. Verify again later.",
    },
  },
  notTitle: "What this does not prove",
  not: [
    "That the picture is true: whoever holds the cable can play a film into it.",
    "That nobody looked: the media servers handle pictures in the clear while they pass.",
    "When it happened: all times come from the service's own clocks.",
    "That the recorder left nothing out: it declares the gaps itself.",
    "Anything against the holder of the signing key, who could sign a different archive.",
  ],
  signerAdvice:
    "The lists of trusted keys come from this service. Compare the key above with the one you were given by another way.",
};

export type VerifyWords = typeof verifyEn;
