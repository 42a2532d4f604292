/** `npm start` on an installed machine with state, to the first answered HTTP request, and to ready (agents connected). */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { skipReason, until } from "../e2e/gantry-kit.ts";
import { Fleet } from "./fleet.ts";
import { format, row, summarise } from "./summary.ts";

const ROUNDS = 5;
const LISTEN = "127.0.0.1:45660";

/** Prints both. */
export async function measureStart(): Promise<void> {
  const reason = await skipReason();
  if (reason !== false) {
    console.log(`start cannot be measured here: ${reason}`);
    return;
  }
  await using fleet = await Fleet.open();
  const { gantry } = fleet;
  await gantry.stop();
  const answers: number[] = [];
  const ready: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const startedAt = performance.now();
    const child = spawn("npm", ["start"], {
      env: { ...process.env, ...gantry.environment, GANTRY_LISTEN: LISTEN },
      stdio: ["ignore", "pipe", "ignore"],
      detached: true,
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    const closed = once(child, "close");
    try {
      await until("the door answers", () => answersAt(LISTEN));
      answers.push(performance.now() - startedAt);
      await until("gantry is ready", () => output.includes("Gantry is ready"));
      ready.push(performance.now() - startedAt);
    } finally {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
      await closed;
    }
  }
  console.log("\nnpm start on an installed machine, ms (median / best / p90)");
  row("to the first answer", format(summarise(answers)));
  row("to ready, both agents connected", format(summarise(ready)));
}

async function answersAt(listen: string): Promise<boolean> {
  try {
    await (await fetch(`http://${listen}/`)).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
