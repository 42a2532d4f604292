/** IAM, STS, ECS and EC2 behind a real door that enforces policies, on state in memory, with the SDK's clients for any key. */

import { EC2Client } from "@aws-sdk/client-ec2";
import { ECSClient } from "@aws-sdk/client-ecs";
import {
  AttachUserPolicyCommand,
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  IAMClient,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
} from "@aws-sdk/client-iam";
import { STSClient } from "@aws-sdk/client-sts";
import { createGateway } from "../../src/door/gateway.ts";
import { serveHttp } from "../../src/door/http.ts";
import { ec2Indexes } from "../../src/ec2/indexes.ts";
import { ec2Service } from "../../src/ec2/operations.ts";
import { ecsIndexes } from "../../src/ecs/control/indexes.ts";
import { createNodeOwnership } from "../../src/ecs/control/node-ownership.ts";
import { TelemetryBook } from "../../src/ecs/control/telemetry-book.ts";
import { ecsAgentOperations } from "../../src/ecs/operations/agent-table.ts";
import { ecsService } from "../../src/ecs/operations/table.ts";
import { createAccess } from "../../src/iam/access.ts";
import { ensureRootKey } from "../../src/iam/access-keys.ts";
import { createIam } from "../../src/iam/create-iam.ts";
import { iamIndexes } from "../../src/iam/indexes.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { systemRandom } from "../../src/lib/random.ts";
import { createCache } from "../../src/store/cache.ts";
import { openMemoryStore } from "../../src/store/memory.ts";
import type { JsonWebKeySet } from "../../src/sts/jwt.ts";
import { stsService } from "../../src/sts/operations.ts";
import { Sessions } from "../../src/sts/session.ts";
import { ACCOUNT_ID, REGION, ROOT_KEY } from "../door-kit.ts";

export const OTHER_ACCOUNT = "222222222222";
export const OTHER_ROOT_KEY = {
  accessKeyId: "AKIAGANTRYOTHER00000",
  secretAccessKey: "the secret of the other account",
};

export interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** What one key can call. */
export interface Clients {
  readonly ec2: EC2Client;
  readonly ecs: ECSClient;
  readonly iam: IAMClient;
  readonly sts: STSClient;
}

export interface AccessDoor extends AsyncDisposable {
  readonly url: string;
  readonly root: Clients;
  /** Clients of a key. */
  as(key: Key): Clients;
  /** A new user with these inline policies, and the clients of its key. `as`: the root key of its account. */
  addUser(
    name: string,
    ...policies: readonly (string | { readonly as: Key })[]
  ): Promise<Clients & { readonly key: Key }>;
  /** A new role with an inline policy. Returns its ARN. */
  addRole(name: string, trust: string, policy?: string): Promise<string>;
  /** Lets sessions grow older, while signatures stay young. */
  age(seconds: number): void;
  /** The keys of identity providers, by URL. */
  readonly providerKeys: Map<string, JsonWebKeySet>;
}

/** A document of one statement, or several. By default they allow everything. */
export function policy(...statements: readonly object[]): string {
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: statements.map((one) => ({ Effect: "Allow", Resource: "*", ...one })),
  });
}

/** A trust policy. */
export function trust(principal: object, more: object = {}): string {
  const statement = { Effect: "Allow", Principal: principal, Action: "sts:AssumeRole", ...more };
  return JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
}

export async function openAccessDoor(): Promise<AccessDoor> {
  const store = openMemoryStore();
  const indexes = { ...ecsIndexes, ...ec2Indexes, ...iamIndexes };
  const cache = createCache({ store, indexes, log: silentLog });
  const end = new AbortController();
  const following = cache.run(end.signal);
  await cache.reached(0);
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  const base = { store, cache, clock, random: systemRandom, log: silentLog };
  await ensureRootKey(base, ACCOUNT_ID, ROOT_KEY);
  await ensureRootKey(base, OTHER_ACCOUNT, OTHER_ROOT_KEY);
  const sessions = new Sessions(base);
  const access = createAccess({ ...base, sessions, mayNode: createNodeOwnership(base) });
  const { serviceTrust } = access;
  const deps = { ...base, serviceTrust, telemetry: new TelemetryBook() };
  const providerKeys = new Map<string, JsonWebKeySet>();
  const findProviderKeys = async (url: string) => providerKeys.get(url) ?? { keys: [] };
  const gateway = createGateway({
    services: [
      ecsService(deps, ecsAgentOperations(deps)),
      ec2Service(deps),
      createIam(deps, access.policiesOf).service,
      stsService({ ...deps, ...access, sessions, findProviderKeys }),
    ],
    findIdentity: access.findIdentity,
    authorize: access.authorize,
    encodeDenial: (details) => sessions.sealDenial(details),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    strict: true,
  });
  const http = await serveHttp({
    gateway,
    upgrades: [],
    listen: { host: "127.0.0.1", port: 0 },
    log: silentLog,
    clock: systemClock,
  });
  const opened: Clients[] = [];
  const as = (credentials: Key): Clients => {
    const settings = { endpoint: http.url, region: REGION, credentials, maxAttempts: 1 };
    const clients: Clients = {
      ec2: new EC2Client(settings),
      ecs: new ECSClient(settings),
      iam: new IAMClient(settings),
      sts: new STSClient(settings),
    };
    opened.push(clients);
    return clients;
  };
  const root = as(ROOT_KEY);
  return {
    url: http.url,
    root,
    as,
    providerKeys,
    age: (seconds) => {
      aheadMs += seconds * 1000;
    },
    addUser: async (UserName, ...options) => {
      const account = options.find((option) => typeof option === "object");
      const { iam } = account === undefined ? root : as(account.as);
      await iam.send(new CreateUserCommand({ UserName }));
      const policies = options.filter((option) => typeof option === "string");
      for (const [index, PolicyDocument] of policies.entries()) {
        const put = { UserName, PolicyName: `p${index}`, PolicyDocument };
        await iam.send(new PutUserPolicyCommand(put));
      }
      const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
      const key = keyOf(AccessKey);
      return { ...as(key), key };
    },
    addRole: async (RoleName, AssumeRolePolicyDocument, PolicyDocument) => {
      const { Role } = await root.iam.send(
        new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument }),
      );
      if (PolicyDocument !== undefined) {
        const put = { RoleName, PolicyName: "own", PolicyDocument };
        await root.iam.send(new PutRolePolicyCommand(put));
      }
      return Role?.Arn ?? "";
    },
    [Symbol.asyncDispose]: async () => {
      for (const { ec2, ecs, iam, sts } of opened) {
        for (const client of [ec2, ecs, iam, sts]) client.destroy();
      }
      await http.close();
      end.abort();
      await following;
      await store.close();
    },
  };
}

/** Attaches a managed policy to a user. */
export function attach(door: AccessDoor, UserName: string, PolicyArn: string): Promise<unknown> {
  return door.root.iam.send(new AttachUserPolicyCommand({ UserName, PolicyArn }));
}

/** The key in an answer of IAM or STS. */
export function keyOf(
  answer: {
    readonly AccessKeyId?: string | undefined;
    readonly SecretAccessKey?: string | undefined;
    readonly SessionToken?: string | undefined;
  } = {},
): Key {
  const { AccessKeyId = "", SecretAccessKey = "", SessionToken } = answer;
  const key = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey };
  return SessionToken === undefined ? key : { ...key, sessionToken: SessionToken };
}
