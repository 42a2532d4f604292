/**
 * Run by tests as a process to be killed: writers that count up, each number in two records of one transaction,
 * and print `<writer> <number>` once it is durable. `node sqlite-writer.ts <directory>`
 */
import { systemClock } from "../lib/clock.ts";
import { createLog } from "../lib/log.ts";
import { openSqliteStore } from "./sqlite.ts";

const WRITERS = 8;

const log = createLog({
  clock: systemClock,
  level: "warn",
  write: (line) => process.stderr.write(line),
});
// So few that rewrites of the journal are under way most of the time.
const store = await openSqliteStore({ directory: process.argv[2] ?? "", log, deadRowsMin: 50 });
const { records } = await store.list("/left/");

await Promise.all(
  Array.from({ length: WRITERS }, async (_, writer) => {
    let number = Number(records.find(({ key }) => key === `/left/${writer}`)?.value ?? 0);
    for (;;) {
      number += 1;
      const result = await store.txn(
        [],
        [
          { key: `/left/${writer}`, value: number },
          { key: `/right/${writer}`, value: number },
          { key: `/padding/${writer}/${number % 20}`, value: "x".repeat(500) },
        ],
      );
      if (result.ok) process.stdout.write(`${writer} ${number}\n`);
    }
  }),
);
