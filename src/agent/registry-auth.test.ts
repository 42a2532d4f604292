import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, UnavailableError } from "../lib/errors.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import type { RegistryAuthentication, RoleCredentials } from "../protocol/acs.ts";
import type { ApiTarget, Credentials } from "./agent-deps.ts";
import { RegistryAuth } from "./registry-auth.ts";
import { RoleCredentialsCache } from "./role-credentials.ts";
import { TaskFailure } from "./task-failure.ts";
import { evenRandom, payloadContainer } from "./testing/rig.fixture.ts";
import { passUntil } from "./testing/time.fixture.ts";

const TASK = "arn:aws:ecs:eu-west-1:123456789012:task/default/a1";
const SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:hub-AbCdEf";
const ROLE: RoleCredentials = {
  credentialsId: "1",
  roleArn: "arn:aws:iam::123456789012:role/execution",
  accessKeyId: "EXECUTION",
  secretAccessKey: "s",
  sessionToken: "t",
  expiration: "2026-01-01T00:00:00Z",
};
const never = new AbortController().signal;

interface Call {
  readonly target: ApiTarget;
  readonly accessKeyId: string;
  readonly operation: string;
  readonly input: unknown;
}

/** `answer` is given, thrown if it is an Error. */
function auth(answer: unknown) {
  const clock = new VirtualClock(1_000_000);
  const calls: Call[] = [];
  const roleCredentials = new RoleCredentialsCache();
  const registryAuth = new RegistryAuth({
    api: (target, credentials: () => Credentials) => ({
      call: async (operation, input) => {
        calls.push({ target, accessKeyId: credentials().accessKeyId, operation, input });
        if (answer instanceof Error) throw answer;
        return answer;
      },
    }),
    credentials: () => ({ accessKeyId: "NODE", secretAccessKey: "s" }),
    roleCredentials,
    clock,
    random: evenRandom,
  });
  const login = (registryAuthentication?: RegistryAuthentication) => {
    const container = payloadContainer("web", registryAuthentication && { registryAuthentication });
    const result = registryAuth.login(TASK, container, never);
    result.catch(() => undefined);
    return result;
  };
  return { calls, clock, login, roleCredentials };
}

function asm(): RegistryAuthentication {
  return {
    type: "asm",
    asmAuthData: { credentialsParameter: SECRET, region: "eu-west-1" },
  };
}

function ecr(useExecutionRole: boolean): RegistryAuthentication {
  const ecrAuthData = { registryId: "111122223333", region: "us-west-2", useExecutionRole };
  return { type: "ecr", ecrAuthData };
}

test("a container without registry authentication asks nobody", async () => {
  const { calls, login } = auth({});
  assert.equal(await login(), undefined);
  assert.deepEqual(calls, []);
});

test("repositoryCredentials are read from the secret with the execution role", async () => {
  const SecretString = JSON.stringify({ username: "u", password: "p" });
  const { calls, login, roleCredentials } = auth({ SecretString });
  roleCredentials.put(TASK, "TaskExecution", ROLE);
  assert.deepEqual(await login(asm()), { username: "u", password: "p" });
  assert.deepEqual(calls, [
    {
      target: { service: "secretsmanager", region: "eu-west-1" },
      accessKeyId: "EXECUTION",
      operation: "GetSecretValue",
      input: { SecretId: SECRET },
    },
  ]);
});

test("credentials of the execution role are waited for, and missed in the end", async () => {
  const SecretString = JSON.stringify({ username: "u", password: "p" });
  const late = auth({ SecretString });
  const waiting = late.login(asm());
  await late.clock.advance(1_000);
  late.roleCredentials.put(TASK, "TaskExecution", ROLE);
  assert.deepEqual(await waiting, { username: "u", password: "p" });
  const without = auth({ SecretString });
  const missing = without.login(asm());
  await without.clock.advance(31_000);
  await assert.rejects(missing, /^TaskFailure: ResourceInitializationError: .*no execution role/);
});

test("what keeps a secret from being read stops the task as a whole, and never says what it read", async () => {
  const cases: readonly [unknown, RegExp][] = [
    [
      new ApiError("ResourceNotFoundException", "Secrets Manager can't find the specified secret."),
      /unable to retrieve secret from asm: service call has been retried 1 time\(s\): ResourceNotFoundException: Secrets Manager can't/,
    ],
    [
      new ApiError("NotImplementedException", "secretsmanager:GetSecretValue is not built here"),
      /NotImplementedException/,
    ],
    [new UnavailableError("connection refused"), /RequestError: send request failed caused by: /],
    [{ SecretString: "hunter2" }, /is not JSON with username and password$/],
    [{ SecretString: '{"username":"hunter2"}' }, /is not JSON with username and password$/],
    [{ SecretBinary: "hunter2" }, /is not JSON with username and password$/],
  ];
  for (const [answer, expected] of cases) {
    const { clock, login, roleCredentials } = auth(answer);
    roleCredentials.put(TASK, "TaskExecution", ROLE);
    const failing = login(asm());
    let failure: unknown;
    failing.catch((error: unknown) => {
      failure = error;
    });
    await passUntil(clock, () => failure !== undefined);
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

test("ECR's token is asked for once while it lasts, for each role", async () => {
  const authorizationToken = Buffer.from("AWS:token").toString("base64");
  const answer = { authorizationData: [{ authorizationToken, expiresAt: 1_000 + 12 * 3600 }] };
  const { calls, clock, login, roleCredentials } = auth(answer);
  roleCredentials.put(TASK, "TaskExecution", ROLE);
  for (let time = 0; time < 2; time++) {
    assert.deepEqual(await login(ecr(true)), { username: "AWS", password: "token" });
    assert.deepEqual(await login(ecr(false)), { username: "AWS", password: "token" });
  }
  assert.deepEqual(
    calls.map(({ accessKeyId, input }) => [accessKeyId, input]),
    [
      ["EXECUTION", { registryIds: ["111122223333"] }],
      ["NODE", { registryIds: ["111122223333"] }],
    ],
  );
  await clock.advance(12 * 3_600_000);
  await login(ecr(true));
  assert.equal(calls.length, 3);
});

test("what ECR refuses is the container's failure", async () => {
  const { login } = auth(new ApiError("AccessDeniedException", "User: x is not authorized"));
  await assert.rejects(login(ecr(false)), (error) => {
    assert.ok(error instanceof TaskFailure);
    assert.equal(error.container, "web");
    assert.match(error.message, /^CannotPullECRContainerError: .*AccessDeniedException: User: x/);
    return true;
  });
});
