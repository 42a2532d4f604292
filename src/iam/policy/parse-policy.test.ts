// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables are written like that.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { PolicyKind } from "./faults/find-fault.ts";
import { type ParseResult, parsePolicy, policySizeOf } from "./parse-policy.ts";

const LIST = { Effect: "Allow", Action: "s3:ListBucket", Resource: "arn:aws:s3:::example" };
const TRUST = {
  Effect: "Allow",
  Principal: { Service: "ecs-tasks.amazonaws.com" },
  Action: "sts:AssumeRole",
};
const GRANT = { Effect: "Allow", Principal: "*", Action: "ecr:BatchGetImage" };

const SYNTAX = "Syntax errors in policy.";
const LEGACY = "The policy failed legacy parsing";
const VERSION = "Policy document must be version 2012-10-17 or greater.";
const NO_VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
const NO_ACTION = "Policy statement must contain actions.";
const NO_RESOURCE = "Policy statement must contain resources.";
const INVALID_JSON = "This policy contains invalid Json";

/** A statement that replaces or adds elements of the base; undefined leaves one out. */
type Elements = Readonly<Record<string, unknown>>;
type Row = readonly [elements: Elements, reason: string];

const resource = (Resource: unknown): Elements => ({ Resource });
const action = (Action: unknown): Elements => ({ Action });
const condition = (Condition: unknown): Elements => ({ Condition });

const REFUSED: readonly Row[] = [
  [{ Effect: undefined }, SYNTAX],
  [{ Effect: "Permit" }, SYNTAX],
  [{ Effect: "aLLow" }, LEGACY],
  [{ Extra: "x" }, SYNTAX],
  [{ constructor: "x" }, SYNTAX],
  [{ Sid: {} }, SYNTAX],
  [
    { Sid: "not alphanumeric" },
    "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
  ],
  [{ Principal: "*" }, "Policy document should not specify a principal."],
  [{ NotPrincipal: { AWS: "*" } }, "Policy document should not specify a principal."],
  [{ NotAction: "s3:*" }, SYNTAX],
  [{ NotResource: "*" }, SYNTAX],
  [action(undefined), NO_ACTION],
  [action([]), NO_ACTION],
  [action({}), SYNTAX],
  [action([[]]), SYNTAX],
  [action("invalid"), NO_VENDOR],
  [action(""), NO_VENDOR],
  [action("a a:ListBucket"), "Vendor a a is not valid"],
  [action("s3:List:Bucket"), "Actions/Condition can contain only one colon."],
  [action("*:Untag*"), "Action vendors (e.g., aws, ec2, etc.) must not contain wildcards"],
  [{ Action: "invalid", Resource: undefined }, NO_VENDOR],
  [resource(undefined), NO_RESOURCE],
  [resource([]), NO_RESOURCE],
  [resource({ a: "*" }), SYNTAX],
  [resource(["*", 7]), SYNTAX],
  [resource("example"), 'Resource example must be in ARN format or "*".'],
  [resource(""), 'Resource  must be in ARN format or "*".'],
  [resource("a:bcd"), 'Partition "bcd" is not valid for resource "arn:bcd:*:*:*:*".'],
  [resource("a:b:c:d:e:f:g:h"), 'Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h".'],
  [resource("aws:s3:::b"), 'Partition "s3" is not valid for resource "arn:s3:::b:*".'],
  [resource("arn:aws"), "Resource vendor must be fully qualified and cannot contain regexes."],
  [
    resource("arn:aws:s*:::b"),
    "Resource vendor must be fully qualified and cannot contain regexes.",
  ],
  [resource("arn:aws:s3::b"), LEGACY],
  [resource("arn:aws::::b"), LEGACY],
  [
    resource("arn:aws:s3:us-east-1::b"),
    "Resource arn:aws:s3:us-east-1::b can not contain region information.",
  ],
  [
    resource("arn:aws:iam:us-east-1::role/x"),
    "IAM resource arn:aws:iam:us-east-1::role/x cannot contain region information.",
  ],
  [
    resource("arn:aws:iam:::b"),
    'IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/.',
  ],
  [condition([]), SYNTAX],
  [condition({ StringEquals: "a" }), SYNTAX],
  [condition({ StringEquals: { a: {} } }), SYNTAX],
  [condition({ Unknown: { a: "1" } }), SYNTAX],
  [condition({ "ForAnyValue::StringEquals": { a: "1" } }), SYNTAX],
  [condition({ NullIfExists: { a: "true" } }), SYNTAX],
  [condition({ DateGreaterThan: { a: "tomorrow" } }), LEGACY],
  [condition({ "ForAnyValue:DateEquals": { a: ["2024-13-01"] } }), LEGACY],
];

const TAKEN: readonly Elements[] = [
  {},
  { Sid: "" },
  { Sid: "Abc1" },
  action(["s3:*", "*"]),
  action("invalid-service:anything at all"),
  { Action: undefined, NotAction: "s3:*" },
  { Resource: undefined, NotResource: ["*"] },
  resource(["*", "arn:aws:s3:::b/*"]),
  resource("arn:aws:logs:*"),
  resource("arn:aws:iam::111111111111:*"),
  resource("arn:aws:iam::*:role/ecs*"),
  resource("arn:aws:iam::*:r*"),
  resource("arn:aws:iam::${aws:PrincipalAccount}:role/x"),
  resource("arn:aws:iam::*:user/${aws:username}"),
  condition({}),
  condition({ unknown: {} }),
  condition({ Bool: { "aws:SecureTransport": false } }),
  condition({ NumericLessThan: { a: [1, "2"] } }),
  condition({ DateGreaterThan: { a: [] } }),
  condition({ "ForAllValues:StringLikeIfExists": { "aws:TagKeys": ["a", "b"] } }),
];

describe("identity-based policies", () => {
  for (const [elements, reason] of REFUSED) {
    test(`${JSON.stringify(elements)}: ${reason}`, () => {
      assert.deepEqual(parse({ ...LIST, ...elements }), { ok: false, reason });
    });
  }
  for (const elements of TAKEN) {
    test(`${JSON.stringify(elements)} is taken`, () => {
      assert.ok(parse({ ...LIST, ...elements }).ok);
    });
  }
});

describe("documents", () => {
  const text = JSON.stringify(LIST);
  const rows: readonly (readonly [string, string])[] = [
    ["not json", SYNTAX],
    ["", SYNTAX],
    ["null", SYNTAX],
    ["[]", SYNTAX],
    ['{"Version":"2012-10-17"}', SYNTAX],
    ['{"Version":"2012-10-17","Statement":[]}', SYNTAX],
    ['{"Version":"2012-10-17","Statement":["x"]}', SYNTAX],
    [`{"Version":"2013-10-17","Statement":${text}}`, SYNTAX],
    [`{"Version":"2012-10-17","Id":[],"Statement":${text}}`, SYNTAX],
    [`{"Version":"2012-10-17","Extra":1,"Statement":${text}}`, SYNTAX],
    [`{"Version":"2012-10-17","Version":"2012-10-17","Statement":${text}}`, SYNTAX],
    [`{"Version":"2012-10-17","Statement":[${text},{"Effect":"Deny",${text.slice(1)}]}`, SYNTAX],
    [`{"Statement":${text}}`, VERSION],
    [`{"Version":"2008-10-17","Statement":${text}}`, VERSION],
  ];
  for (const [document, reason] of rows) {
    test(`${document}: ${reason}`, () => {
      assert.deepEqual(parsePolicy(document, "managed"), { ok: false, reason });
    });
  }

  test("statements of one document have Sids of their own", () => {
    const twice = [
      { ...LIST, Sid: "a" },
      { ...LIST, Sid: "a" },
    ];
    const reason = "Statement IDs (SID) in a single policy must be unique.";
    assert.deepEqual(parse(twice), { ok: false, reason });
  });

  test("an older version will do for an inline policy", () => {
    assert.ok(parsePolicy(`{"Statement":${text}}`, "inline").ok);
    assert.ok(parsePolicy(`{"Version":"2008-10-17","Statement":[${text}]}`, "inline").ok);
  });

  test("any depth of nonsense is answered", () => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    assert.deepEqual(parsePolicy(deep, "managed"), { ok: false, reason: SYNTAX });
  });
});

describe("trust policies", () => {
  const rows: readonly Row[] = [
    [{ Effect: undefined }, "Missing required field Effect"],
    [{ Effect: "allow" }, "Invalid effect: allow"],
    [{ Principal: undefined }, "Missing required field Principal"],
    [{ Principal: {} }, "Missing required field Principal cannot be empty!"],
    [{ Principal: "*" }, 'AssumeRolepolicy contained an invalid principal: "STAR":"*".'],
    [{ Principal: "ada" }, "Principal must be a JSON object."],
    [{ Principal: { User: "ada" } }, 'Invalid principal in policy: "User"'],
    [{ Principal: { AWS: "ada" } }, 'Invalid principal in policy: "AWS":"ada"'],
    [{ Principal: { Service: "ecs" } }, 'Invalid principal in policy: "SERVICE":"ecs"'],
    [
      { Principal: { AWS: "arn:aws:iam::111111111111:user/*" } },
      'Invalid principal in policy: "AWS":"arn:aws:iam::111111111111:user/*"',
    ],
    [
      { Principal: undefined, NotPrincipal: { AWS: "*" } },
      "Allow with NotPrincipal is not allowed.",
    ],
    [
      { Effect: "Deny", Principal: undefined, NotPrincipal: { AWS: "*" } },
      "AssumeRole policy must not contain NotPrincipal field.",
    ],
    [action(undefined), "Missing required field Action"],
    [action("*"), "AssumeRole policy may only specify STS AssumeRole actions."],
    [action("s3:GetObject"), "AssumeRole policy may only specify STS AssumeRole actions."],
    [resource("*"), "Has prohibited field Resource"],
    [{ NotResource: "*" }, "AssumeRole policy must not contain resources."],
    [condition({ Unknown: { a: "1" } }), SYNTAX],
    [{ Extra: "x" }, INVALID_JSON],
  ];
  for (const [elements, reason] of rows) {
    test(`${JSON.stringify(elements)}: ${reason}`, () => {
      assert.deepEqual(parse({ ...TRUST, ...elements }, "trust"), { ok: false, reason });
    });
  }

  const principals = [
    { AWS: "*" },
    { AWS: ["111111111111", "arn:aws:iam::111111111111:root"] },
    { AWS: "arn:aws:iam::111111111111:role/path/deploy" },
    { AWS: "arn:aws:sts::111111111111:assumed-role/deploy/ci" },
    { AWS: "AROAEXAMPLEEXAMPLE01" },
    { Federated: "arn:aws:iam::111111111111:oidc-provider/issuer.example.com" },
    { Service: ["ecs.amazonaws.com", "ecs-tasks.amazonaws.com"], AWS: "111111111111" },
  ];
  for (const Principal of principals) {
    test(`${JSON.stringify(Principal)} may be trusted`, () => {
      assert.ok(
        parse({ ...TRUST, Principal, Action: ["sts:AssumeRole", "sts:TagSession"] }, "trust").ok,
      );
    });
  }

  test("their documents have faults of their own", () => {
    const reasonOf = (document: unknown): string | undefined => {
      const result = parsePolicy(JSON.stringify(document), "trust");
      return result.ok ? undefined : result.reason;
    };
    const twice = { ...TRUST, Sid: "a" };
    assert.equal(
      reasonOf({ Version: "1", Statement: TRUST }),
      "The policy must contain a valid version string",
    );
    assert.equal(reasonOf({ Statement: [] }), "Could not parse the policy: Statement is empty!");
    assert.equal(
      reasonOf({ Statement: [twice, twice] }),
      "The Statement Ids in the policy are not unique",
    );
    assert.equal(reasonOf({ Statement: [TRUST] }), undefined);
  });
});

describe("resource-based policies", () => {
  const rows: readonly Row[] = [
    [{ Principal: undefined }, "Missing required field Principal"],
    [action("ecr"), NO_VENDOR],
    [action("ecr:a:b"), "Actions/Condition can contain only one colon."],
    [resource("x"), 'Resource x must be in ARN format or "*".'],
  ];
  for (const [elements, reason] of rows) {
    test(`${JSON.stringify(elements)}: ${reason}`, () => {
      assert.deepEqual(parse({ ...GRANT, ...elements }, "resource"), { ok: false, reason });
    });
  }
  for (const elements of [{}, resource("*"), { Sid: "with spaces" }, action("*")]) {
    test(`${JSON.stringify(elements)} is taken`, () => {
      assert.ok(parse({ ...GRANT, ...elements }, "resource").ok);
    });
  }
});

describe("the span of a statement is the one that AWS's simulator tells", () => {
  const spansOf = (text: string): unknown => {
    const result = parsePolicy(text, "managed");
    return result.ok && result.policy.statements.map(({ span }) => span);
  };

  test("of a lone one (the example of `aws iam simulate-custom-policy help`)", () => {
    const text =
      '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}';
    assert.deepEqual(spansOf(text), [
      { start: { line: 1, column: 38 }, end: { line: 1, column: 167 } },
    ]);
  });

  test("of one in a list (as in `aws iam simulate-principal-policy help`)", () => {
    const statement = { Effect: "Allow", Action: ["codecommit:ListRepositories"], Resource: "*" };
    const document = { Version: "2012-10-17", Statement: [statement, statement] };
    assert.deepEqual(spansOf(JSON.stringify(document, undefined, 4)), [
      { start: { line: 3, column: 19 }, end: { line: 10, column: 10 } },
      { start: { line: 10, column: 10 }, end: { line: 17, column: 10 } },
    ]);
  });
});

test("a policy knows which keys of the context it asks for", () => {
  const result = parse({
    ...LIST,
    Resource: "arn:aws:s3:::b/${aws:username}",
    Condition: { StringLike: { "s3:prefix": "${aws:PrincipalTag/team, 'x'}/${*}" } },
  });
  assert.deepEqual(result.ok && result.policy.contextKeys, [
    "s3:prefix",
    "aws:username",
    "aws:PrincipalTag/team",
  ]);
});

test("white space does not count against a quota", () => {
  assert.equal(policySizeOf(' {\n\t"a": "b c" }'), 10);
});

function parse(statement: unknown, kind: PolicyKind = "managed"): ParseResult {
  return parsePolicy(JSON.stringify({ Version: "2012-10-17", Statement: statement }), kind);
}
