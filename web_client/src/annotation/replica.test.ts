import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Calibration, Change, Mark } from "../protocol/messages";
import { Replica } from "./replica";

interface Scenario {
  name: string;
  known: string;
  document_id: string;
  changes: Change[];
  applied: boolean[];
  seq: number;
  marks: Mark[];
  calibration: Calibration | null;
}

const path = new URL("../../../tests/vectors/annotation/replica.json", import.meta.url);
const scenarios = JSON.parse(readFileSync(path, "utf8")) as Scenario[];

test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
  "the server's vectors: %s",
  (_, scenario) => {
    const replica = new Replica(scenario.known);
    const applied = scenario.changes.map((change) => replica.apply(scenario.document_id, change));
    expect(applied).toEqual(scenario.applied);
    expect([...replica.marks.values()]).toEqual(scenario.marks);
    expect([replica.seq, replica.calibration]).toEqual([scenario.seq, scenario.calibration]);
  },
);

test("a mark that grows is another object, so that what was drawn of it is not kept", () => {
  const grows = scenarios[0];
  const replica = new Replica(grows?.known);
  for (const change of grows?.changes ?? []) {
    const before = change.extended && replica.marks.get(change.extended.mark_id);
    replica.apply(replica.documentId, change);
    if (change.extended) expect(replica.marks.get(change.extended.mark_id)).not.toBe(before);
  }
});
