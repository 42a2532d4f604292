import { commit } from "../store/commit.ts";
import type { Controller } from "../store/controller.ts";
import type { SecretsDeps } from "./deps.ts";
import { isSecretKey, type Secret } from "./model.ts";
import { removal } from "./secrets.ts";

/** Chosen: a window of weeks is looked at again at least so often, so that a clock that was set does no harm. */
const LOOK_AGAIN_MS_MAX = 3_600_000;

/** Takes away secrets whose recovery window is over. */
export function createSecretReaper(deps: SecretsDeps): Controller {
  return {
    name: "secret-reaper",
    keysFor: ({ key, after }) => (after !== undefined && isSecretKey(key) ? [key] : []),
    allKeys: (cache) =>
      cache
        .list("/")
        .map(({ key }) => key)
        .filter(isSecretKey),
    reconcile: async (key) => {
      const record = deps.cache.get(key);
      const { purgeAt, ...secret } = (record?.value ?? {}) as Secret;
      if (record === undefined || purgeAt === undefined) return undefined;
      const leftMs = purgeAt - deps.clock.now();
      if (leftMs > 0) return { againAfterMs: Math.min(leftMs, LOOK_AGAIN_MS_MAX) };
      await commit(deps, [record], removal(deps, secret));
      return undefined;
    },
  };
}
