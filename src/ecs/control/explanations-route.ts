import type { UpgradeRoute } from "../../door/upgrade.ts";
import {
  CLUSTER_PARAMETER,
  EXPLANATIONS_PATH,
  type ExplanationsMessage,
} from "../../protocol/placement-explanations.ts";
import type { Cache } from "../../store/cache.ts";
import { clusterKey } from "../model/keys.ts";
import type { Placer } from "./placement.ts";

/** The server's side of `protocol/placement-explanations.ts`. */
export function createExplanationsRoute(
  { cache }: { readonly cache: Cache },
  placer: Placer,
): UpgradeRoute {
  return {
    path: EXPLANATIONS_PATH,
    action: "gantry:ExplainPlacements",
    open: ({ principal: { accountId }, region, query }) => {
      const clusterName = query.get(CLUSTER_PARAMETER) ?? "default";
      const scope = { accountId, region };
      if (cache.get(clusterKey(scope, clusterName)) === undefined) {
        return { refuse: { status: 404, body: `there is no cluster ${clusterName} in ${region}` } };
      }
      const explanations = placer.explanations({ ...scope, clusterName });
      return {
        accept: (socket) => {
          socket.send(JSON.stringify({ explanations } satisfies ExplanationsMessage));
          socket.close(1000, "done");
        },
      };
    },
  };
}
