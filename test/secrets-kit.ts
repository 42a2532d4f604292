import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { Authorize } from "../src/door/authorize.ts";
import { silentLog } from "../src/lib/log.ts";
import { systemRandom } from "../src/lib/random.ts";
import { Sealer } from "../src/lib/sealer.ts";
import { VirtualClock } from "../src/lib/virtual-clock.ts";
import { secretsService } from "../src/secrets/operations.ts";
import { createSecretReaper } from "../src/secrets/reaper.ts";
import { createCache } from "../src/store/cache.ts";
import { runController } from "../src/store/controller.ts";
import { openMemoryStore } from "../src/store/memory.ts";
import type { Store } from "../src/store/store.ts";
import { REGION, ROOT_KEY, type SESSION_KEY, startDoor } from "./door-kit.ts";

export interface Secrets extends AsyncDisposable {
  readonly client: SecretsManagerClient;
  readonly clock: VirtualClock;
  readonly store: Store;
  /** The value of secret `s` under a label. */
  read(stage: string): Promise<string | undefined>;
}

/** Secrets Manager behind a door, on a clock of its own, and its reaper. */
export async function openSecrets(
  authorize: Authorize = () => ({ allowed: true }),
  key: typeof ROOT_KEY | typeof SESSION_KEY = ROOT_KEY,
  store: Store = openMemoryStore(),
): Promise<Secrets> {
  const clock = new VirtualClock(Date.now());
  const cache = createCache({ store, indexes: {}, log: silentLog });
  const end = new AbortController();
  const running = [cache.run(end.signal)];
  await cache.reached(0);
  const sealer = new Sealer(systemRandom.bytes(32), systemRandom);
  const deps = { store, cache, sealer, clock, random: systemRandom, log: silentLog };
  running.push(runController(createSecretReaper(deps), deps, end.signal));
  const door = await startDoor({ services: [secretsService(deps)], authorize });
  const client = new SecretsManagerClient({
    endpoint: door.url,
    region: REGION,
    credentials: key,
    maxAttempts: 1,
  });
  return {
    client,
    clock,
    store,
    read: async (VersionStage) =>
      (await client.send(new GetSecretValueCommand({ SecretId: "s", VersionStage }))).SecretString,
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      await door[Symbol.asyncDispose]();
      end.abort();
      await Promise.all(running);
      await store.close();
    },
  };
}
