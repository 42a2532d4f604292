/** Roles opened with the tokens of identity providers, as the SDK sees it: nothing signs these calls. */
import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { CreateClusterCommand, ListClustersCommand } from "@aws-sdk/client-ecs";
import {
  CreateOpenIDConnectProviderCommand,
  UpdateAssumeRolePolicyCommand,
} from "@aws-sdk/client-iam";
import {
  AssumeRoleWithWebIdentityCommand,
  type AssumeRoleWithWebIdentityCommandInput,
  type AssumeRoleWithWebIdentityCommandOutput,
  STSClient,
} from "@aws-sdk/client-sts";
import { ACCOUNT_ID, REGION } from "../door-kit.ts";
import { type AccessDoor, keyOf, openAccessDoor, policy, trust } from "./access-kit.ts";

let door: AccessDoor;
before(async () => {
  door = await openAccessDoor();
});
after(() => door[Symbol.asyncDispose]());

describe("AssumeRoleWithWebIdentity", () => {
  const URL_OF = "issuer.example.com/path";
  const ISSUER = `https://${URL_OF}`;
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  let role: string;

  before(async () => {
    const { OpenIDConnectProviderArn: Federated } = await door.root.iam.send(
      new CreateOpenIDConnectProviderCommand({ Url: ISSUER, ClientIDList: ["sts.amazonaws.com"] }),
    );
    door.providerKeys.set(URL_OF, {
      keys: [
        { ...rsa.publicKey.export({ format: "jwk" }), kid: "rsa", alg: "RS256" },
        { ...ec.publicKey.export({ format: "jwk" }), kid: "ec" },
      ],
    });
    role = await door.addRole(
      "web",
      trust(
        { Federated },
        {
          Action: "sts:AssumeRoleWithWebIdentity",
          Condition: {
            StringEquals: { [`${URL_OF}:aud`]: "sts.amazonaws.com" },
            StringLike: { [`${URL_OF}:sub`]: "repo:gantry/*" },
          },
        },
      ),
      policy({ Action: "ecs:List*" }),
    );
  });

  const claims = (more: object = {}): object => ({
    iss: ISSUER,
    aud: "sts.amazonaws.com",
    sub: "repo:gantry/main",
    exp: Math.floor(performance.timeOrigin / 1000) + 40_000,
    ...more,
  });

  function jwt(payload: object, header: object = { alg: "RS256", kid: "rsa" }): string {
    const part = (value: object): string =>
      Buffer.from(JSON.stringify(value)).toString("base64url");
    const signed = `${part(header)}.${part(payload)}`;
    const key: KeyObject = "kid" in header && header.kid === "ec" ? ec.privateKey : rsa.privateKey;
    const signature = sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" });
    return `${signed}.${signature.toString("base64url")}`;
  }

  async function call(
    WebIdentityToken: string,
    more: Partial<AssumeRoleWithWebIdentityCommandInput> = {},
  ): Promise<AssumeRoleWithWebIdentityCommandOutput> {
    // With no credentials at all: nothing signs.
    const sts = new STSClient({ endpoint: door.url, region: REGION, maxAttempts: 1 });
    try {
      return await sts.send(
        new AssumeRoleWithWebIdentityCommand({
          RoleArn: role,
          RoleSessionName: "ci",
          WebIdentityToken,
          ...more,
        }),
      );
    } finally {
      sts.destroy();
    }
  }

  for (const header of [
    { alg: "RS256", kid: "rsa" },
    { alg: "ES256", kid: "ec" },
    { alg: "RS256" },
  ]) {
    test(`opens a role with a token signed by ${JSON.stringify(header)}`, async () => {
      const answer = await call(jwt(claims(), header));
      assert.equal(answer.SubjectFromWebIdentityToken, "repo:gantry/main");
      assert.equal(answer.Audience, "sts.amazonaws.com");
      assert.equal(answer.Provider, `arn:aws:iam::${ACCOUNT_ID}:oidc-provider/${URL_OF}`);
      assert.equal(answer.AssumedRoleUser?.Arn, `arn:aws:sts::${ACCOUNT_ID}:assumed-role/web/ci`);
      const session = door.as(keyOf(answer.Credentials));
      await session.ecs.send(new ListClustersCommand({}));
      await assert.rejects(session.ecs.send(new CreateClusterCommand({})));
    });
  }

  const now = Math.floor(performance.timeOrigin / 1000);
  const refused: readonly [string, () => string, { name: string; message?: RegExp }][] = [
    ["no token", () => "abcd", { name: "InvalidIdentityTokenException" }],
    [
      "no signature",
      () => jwt(claims(), { alg: "none" }),
      { name: "InvalidIdentityTokenException" },
    ],
    [
      "a signature by secret",
      () => jwt(claims(), { alg: "HS256", kid: "rsa" }),
      { name: "InvalidIdentityTokenException" },
    ],
    [
      "the key of another algorithm",
      () => jwt(claims(), { alg: "ES256", kid: "rsa" }),
      { name: "InvalidIdentityTokenException" },
    ],
    [
      "an unknown key",
      () => jwt(claims(), { alg: "RS256", kid: "other" }),
      { name: "InvalidIdentityTokenException", message: /Couldn't retrieve verification key/ },
    ],
    [
      "changed claims",
      () => {
        const [header, , signature] = jwt(claims()).split(".");
        const forged = Buffer.from(JSON.stringify(claims({ sub: "repo:gantry/x" })));
        return `${header}.${forged.toString("base64url")}.${signature}`;
      },
      { name: "InvalidIdentityTokenException" },
    ],
    [
      "a token that has expired",
      () => jwt(claims({ exp: now - 10 })),
      { name: "ExpiredTokenException", message: /must be before the expiration date/ },
    ],
    [
      "a token for later",
      () => jwt(claims({ nbf: now + 100_000 })),
      { name: "InvalidIdentityTokenException" },
    ],
    [
      "another audience",
      () => jwt(claims({ aud: "else" })),
      { name: "InvalidIdentityTokenException", message: /Incorrect token audience/ },
    ],
    [
      "an unknown issuer",
      () => jwt(claims({ iss: "https://evil.example.com" })),
      { name: "InvalidIdentityTokenException", message: /No OpenIDConnect provider found/ },
    ],
    ["no subject", () => jwt(claims({ sub: "" })), { name: "IDPRejectedClaimException" }],
    [
      "a subject that the role does not want",
      () => jwt(claims({ sub: "repo:evil/main" })),
      {
        name: "AccessDenied",
        message: /^Not authorized to perform sts:AssumeRoleWithWebIdentity$/,
      },
    ],
  ];
  for (const [what, token, expected] of refused) {
    test(`refuses ${what}`, () => assert.rejects(call(token()), expected));
  }

  test("tells nobody which roles there are", async () => {
    const denied = { name: "AccessDenied", message: /^Not authorized to perform/ };
    await door.addRole("other", trust({ AWS: ACCOUNT_ID }));
    for (const name of ["missing", "other"]) {
      const RoleArn = `arn:aws:iam::${ACCOUNT_ID}:role/${name}`;
      await assert.rejects(call(jwt(claims()), { RoleArn }), denied);
    }
    await door.root.iam.send(
      new UpdateAssumeRolePolicyCommand({
        RoleName: "web",
        PolicyDocument: trust({ AWS: ACCOUNT_ID }),
      }),
    );
    await assert.rejects(call(jwt(claims())), denied);
  });
});
