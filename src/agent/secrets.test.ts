import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../lib/errors.ts";
import { systemRandom } from "../lib/random.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import type { PayloadSecret } from "../protocol/acs.ts";
import type { ApiFactory } from "./agent-deps.ts";
import { RoleCredentialsCache } from "./role-credentials.ts";
import { TaskSecrets } from "./secrets.ts";
import { TaskFailure } from "./task-failure.ts";
import type { AssignedTask } from "./task-record.ts";

const TASK = "arn:aws:ecs:eu-west-1:123456789012:task/c/1";
const ASM = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf";
const SSM = "arn:aws:ssm:us-east-1:123456789012:parameter/a/b";

function secret(name: string, valueFrom: string, more: Partial<PayloadSecret> = {}): PayloadSecret {
  return {
    name,
    valueFrom,
    region: "eu-west-1",
    provider: valueFrom.includes("secretsmanager") ? "asm" : "ssm",
    type: "ENVIRONMENT_VARIABLE",
    target: "CONTAINER",
    ...more,
  };
}

function open(
  secrets: readonly PayloadSecret[],
  answer: (operation: string, input: never) => unknown,
) {
  const calls: unknown[] = [];
  const api: ApiFactory = ({ region, service }, credentials) => ({
    call: async (operation, input) => {
      calls.push([service, region, credentials().accessKeyId, operation, input]);
      const answered = answer(operation, input as never);
      if (answered instanceof Error) throw answered;
      return answered;
    },
  });
  const roleCredentials = new RoleCredentialsCache();
  roleCredentials.put(TASK, "TaskExecution", {
    credentialsId: "id",
    roleArn: "arn",
    accessKeyId: "EXECUTION",
    secretAccessKey: "s",
    sessionToken: "t",
    expiration: "2030-01-01T00:00:00Z",
  });
  const containers = [{ name: "web", secrets }, { name: "plain" }];
  const task = { arn: TASK, containers } as unknown as AssignedTask;
  const deps = { api, roleCredentials, clock: new VirtualClock(0), random: systemRandom };
  return { calls, secrets: new TaskSecrets(deps, task) };
}

const signal = new AbortController().signal;

test("parameters come in one call a region, secrets one by one, in the execution role", async () => {
  const wanted = [
    secret("PLAIN", "name"),
    secret("OTHER", SSM, { region: "us-east-1" }),
    secret("WHOLE", ASM),
    secret("MEMBER", `${ASM}:user::`),
    secret("OLD", `${ASM}::AWSPREVIOUS:`),
    secret("LOG", "log", { target: "LOG_DRIVER" }),
  ];
  const { calls, secrets } = open(
    wanted,
    (operation, input: { Names: string[]; VersionStage?: string }) => {
      if (operation === "GetSecretValue") {
        return { SecretString: input.VersionStage ? "old" : '{"user":"u"}' };
      }
      return {
        Parameters: input.Names.map((Name) => ({ Name, ARN: Name, Value: `value of ${Name}` })),
      };
    },
  );
  const values = {
    PLAIN: "value of name",
    OTHER: `value of ${SSM}`,
    WHOLE: '{"user":"u"}',
    MEMBER: "u",
    OLD: "old",
  };
  assert.deepEqual(await secrets.of("web", signal), values);
  assert.deepEqual(await secrets.of("web", signal), values);
  assert.deepEqual(await secrets.of("plain", signal), {});
  assert.deepEqual(calls, [
    ["ssm", "eu-west-1", "EXECUTION", "GetParameters", { Names: ["name"], WithDecryption: true }],
    ["ssm", "us-east-1", "EXECUTION", "GetParameters", { Names: [SSM], WithDecryption: true }],
    ["secretsmanager", "eu-west-1", "EXECUTION", "GetSecretValue", { SecretId: ASM }],
    ["secretsmanager", "eu-west-1", "EXECUTION", "GetSecretValue", { SecretId: ASM }],
    [
      "secretsmanager",
      "eu-west-1",
      "EXECUTION",
      "GetSecretValue",
      { SecretId: ASM, VersionStage: "AWSPREVIOUS" },
    ],
  ]);
});

test("a secret that cannot be had fails the task in ECS's words, without telling others", async () => {
  const cases = [
    [
      secret("A", "none"),
      { Parameters: [], InvalidParameters: ["none"] },
      /from ssm: .*invalid parameters: none/,
    ],
    [
      secret("A", "x"),
      new ApiError("AccessDeniedException", "no"),
      /from ssm: .*AccessDeniedException: no/,
    ],
    [secret("A", ASM), new ApiError("ResourceNotFoundException", "gone"), /from asm: .*gone/],
    [secret("A", ASM), { SecretBinary: "hunter2" }, /is binary/],
    [secret("A", `${ASM}:k::`), { SecretString: "hunter2" }, /is not JSON/],
    [secret("A", `${ASM}:k::`), { SecretString: '{"j":"hunter2"}' }, /did not contain json key k/],
  ] as const;
  for (const [wanted, answer, expected] of cases) {
    const failure = await open([wanted], () => answer)
      .secrets.of("web", signal)
      .catch((error) => error);
    assert.ok(failure instanceof TaskFailure);
    assert.equal(failure.container, undefined);
    assert.match(
      failure.message,
      /^ResourceInitializationError: unable to pull secrets or registry auth: /,
    );
    assert.match(failure.message, expected);
    assert.doesNotMatch(failure.message, /hunter2/);
  }
});
