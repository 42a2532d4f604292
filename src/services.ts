/** What the door serves. Only ECS, which every Gantry uses, is there from the start; the others load with their first call. */
import { join } from "node:path";
import type { LateService, Service } from "./door/service.ts";
import type { EcsDeps } from "./ecs/control/deps.ts";
import type { Placer } from "./ecs/control/placement.ts";
import { ecsAgentOperations } from "./ecs/operations/agent-table.ts";
import { ecsService } from "./ecs/operations/table.ts";
import type { Access } from "./iam/access.ts";
import type { Iam } from "./iam/create-iam.ts";
import { withServiceLinkedRole } from "./iam/on-demand-role.ts";
import type { Sealer } from "./lib/sealer.ts";
import type { Sessions } from "./sts/session.ts";
import type { LogStore } from "./telemetry/log-store.ts";

export interface ServiceParts {
  readonly deps: EcsDeps;
  readonly placer: Placer;
  readonly logStore: LogStore;
  readonly access: Access;
  readonly iam: Iam;
  readonly sessions: Sessions;
  readonly sealer: Sealer;
  /** The server's data directory. */
  readonly directory: string;
}

export function servicesOf(parts: ServiceParts): readonly (Service | LateService)[] {
  const { deps, placer, logStore, iam, sealer } = parts;
  return [
    withServiceLinkedRole(
      ecsService(deps, ecsAgentOperations(deps), placer),
      { principal: "ecs.amazonaws.com", operations: ["CreateCluster"] },
      iam.ensureServiceLinkedRole,
    ),
    {
      name: "ec2",
      load: async () => (await import("./ec2/operations.ts")).ec2Service(deps),
    },
    {
      name: "logs",
      load: async () => (await import("./logs/operations.ts")).logsService({ ...deps, logStore }),
    },
    iam.service,
    {
      name: "secretsmanager",
      load: async () =>
        (await import("./secrets/operations.ts")).secretsService({ ...deps, sealer }),
    },
    {
      name: "ssm",
      load: async () => (await import("./ssm/operations.ts")).ssmService({ ...deps, sealer }),
    },
    { name: "sts", anonymous: ["AssumeRoleWithWebIdentity"], load: () => loadSts(parts) },
  ];
}

async function loadSts({ deps, access, sessions, directory }: ServiceParts): Promise<Service> {
  const { stsService } = await import("./sts/operations.ts");
  const { createFindProviderKeys, fetchJson } = await import("./sts/provider-keys.ts");
  const findProviderKeys = createFindProviderKeys({
    clock: deps.clock,
    directory: join(directory, "oidc-keys"),
    fetchJson,
  });
  return stsService({ ...deps, ...access, sessions, findProviderKeys });
}
