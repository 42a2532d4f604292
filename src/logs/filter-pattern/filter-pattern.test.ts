import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../lib/errors.ts";
import { parseFilterPattern } from "./filter-pattern.ts";

/** A pattern, messages it matches, and messages it does not. */
type Row = readonly [pattern: string, matching: readonly string[], others: readonly string[]];

function check(rows: readonly Row[]): void {
  for (const [pattern, matching, others] of rows) {
    const { matches, mayMatch } = parseFilterPattern(pattern);
    for (const message of matching) {
      assert.ok(matches(message), `${pattern} matches ${message}`);
      assert.ok(mayMatch(`before${message}behind`), `${pattern} may match what holds ${message}`);
    }
    for (const message of others) assert.ok(!matches(message), `${pattern}, but not ${message}`);
  }
}

const EVENT = JSON.stringify({
  eventType: "UpdateTrail",
  sourceIPAddress: "111.111.111.111",
  arrayKey: ["value", "another value"],
  objectList: [
    { name: "a", id: 1 },
    { name: "b", id: 2 },
  ],
  SomeObject: null,
  ThisFlag: true,
  latency: 55.5,
  text: "404",
  "cluster.name": "c",
});
const ACCESS = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534';

describe("parseFilterPattern()", () => {
  test("unstructured terms", () => {
    check([
      ["", ["anything", ""], []],
      ["  ", ["anything"], []],
      ["ERROR", ["[ERROR] fatal", "Exiting with ERRORCODE: -1"], ["error", "warn"]],
      ["ERROR Exception", ["[ERROR] Caught IllegalArgumentException"], ["ERROR", "Exception"]],
      ['"ERROR 401"', ["[ERROR 401]"], ["ERROR 400 401"]],
      ['"say \\"hi\\" \\\\ now"', ['they say "hi" \\ now'], ["say hi"]],
      ["ERROR -Exiting", ["ERROR: here"], ["Exiting with ERRORCODE", "Exiting"]],
      ['"ERROR" - "Exiting"', ["ERROR: here"], ["Exiting with ERRORCODE"]],
      ["-DEBUG", ["INFO"], ["DEBUG x"]],
      ["?ERROR ?WARN", ["ERROR x", "WARN x", "ERROR WARN"], ["INFO"]],
      ["?ERROR REQUEST", ["REQUEST", "ERROR REQUEST"], ["ERROR"]],
    ]);
  });

  test("regular expressions", () => {
    check([
      ["%AUTHORIZED%", ["[401] UNAUTHORIZED", "AUTHORIZED"], ["authorized"]],
      ["%^[hc]at%", ["hat", "cats"], [" hat", "bat"]],
      ["%[hc]at$%", ["that", "cat"], ["cats"]],
      ["%colou?r%", ["color", "colour"], ["colouur"]],
      ["%^a{3,5}$%", ["aaa", "aaaaa"], ["aa", "aaaaaa"]],
      ["%^a{2}$%", ["aa"], ["a", "aaa"]],
      ["%^a{2,}$%", ["aa", "aaaaaa"], ["a"]],
      ["%gray|grey%", ["a gray cat", "grey"], ["groy"]],
      ["%^gray|cat$%", ["gray x", "a cat"], ["a gray x", "cats"]],
      ["%10\\.10\\.0\\.1%", ["at 10.10.0.1 now"], ["10x10.0.1"]],
      ["%\\d{1,3}\\.\\d{1,3}%", ["v12.345"], ["v12.x"]],
      ["%^\\w+\\s\\W\\S\\D$%", ["ab_1 -xy"], ["ab 1", "ab_1 -x1"]],
      ["%[^a-c]%", ["abcd", "é"], ["abc", ""]],
      ["%^[a\\]\\-z]+$%", ["a]-z"], ["b"]],
      ["%\\x28x\\x29%", ["f(x)"], ["fx"]],
      ["%a.*b.+c%", ["a--b-c", "abxc"], ["abc", "a\nb-"]],
      ["%^a.c$%", ["aéc", "abc"], ["ac", "a\nc"]],
      ["%.*%", ["", "x"], []],
      ["%^$%", [""], ["x"]],
      ["%ERROR% -%40[0-9]%", ["ERROR 500"], ["ERROR 404"]],
    ]);
  });

  test("JSON", () => {
    check([
      ['{ $.eventType = "UpdateTrail" }', [EVENT], ["{}", "UpdateTrail", '{"eventType":']],
      ["{ $.eventType = Update* }", [EVENT], []],
      ["{ $.eventType = *Trail }", [EVENT], []],
      ["{ $.eventType = *teTr* }", [EVENT], []],
      ["{ $.eventType = Up*il }", [], [EVENT]],
      ["{ $.eventType = * }", [EVENT], ["{}"]],
      ["{ $.eventType = %^Update[A-Z]% }", [EVENT], []],
      ["{ $.eventType != %^Update% }", [], [EVENT]],
      ["{ $.sourceIPAddress != 123.123.* }", [EVENT], []],
      ["{ $.sourceIPAddress = 111.111.* }", [EVENT], []],
      ['{ $.arrayKey[0] = "value" }', [EVENT], []],
      ["{ $.arrayKey[2] = * }", [], [EVENT]],
      ["{ $.arrayKey != 1 }", [], [EVENT]],
      ["{ $.objectList[1].id = 2 }", [EVENT], []],
      ["{ $.objectList.id = 2 }", [], [EVENT]],
      ['{ $.objectList[*].name = "b" }', [EVENT], []],
      ['{ $.* = "c" }', [EVENT], []],
      ["{ $.SomeObject IS NULL }", [EVENT], ["{}"]],
      ["{ $.SomeObject = * }", [], [EVENT]],
      ["{ $.Other NOT EXISTS }", [EVENT], []],
      ["{ $.SomeObject NOT EXISTS }", [], [EVENT]],
      ["{ $.ThisFlag IS TRUE }", [EVENT], []],
      ["{ $.ThisFlag IS FALSE }", [], [EVENT]],
      ["{ $.latency >= 55.5 }", [EVENT], []],
      ["{ $.latency < 10e3 }", [EVENT], []],
      ["{ $.latency < 10e-3 }", [], [EVENT]],
      ["{ $.latency > +50 }", [EVENT], []],
      ["{ $.latency = 5.55e1 }", [EVENT], []],
      ["{ $.text = 404 }", [EVENT], []],
      ["{ $.eventType > 5 }", [], [EVENT]],
      ["{ $.missing != 5 }", [], [EVENT]],
      ["{ $.toString NOT EXISTS }", [EVENT], []],
      ["{ $.['cluster.name'] = \"c\" }", [EVENT], []],
      ['{$["cluster.name"]=c}', [EVENT], []],
      ['{ ($.text = 404) && ($.objectList[0].name = "a") }', [EVENT], []],
      ["{ ($.text = 1 && $.latency = 1) || $.eventType = x }", [], [EVENT]],
      ["{ $.text = 404 || $.latency = no && $.eventType = no }", [EVENT], []],
      ["{ ($.text = 404 || $.latency = no) && $.eventType = no }", [], [EVENT]],
    ]);
  });

  test("fields divided by spaces", () => {
    check([
      ["[ip, user, username, timestamp, request, status_code, bytes]", [ACCESS], ["a b"]],
      ["[ip, user, username, timestamp, request, status_code]", [], [ACCESS]],
      ["[ip, user, username, timestamp, request, status = 4*, bytes > 1000]", [ACCESS], []],
      [
        "[ip, user, username, timestamp, request, status = 4* && status != 404, bytes]",
        [],
        [ACCESS],
      ],
      ["[..., status = 403 || status = 404, bytes]", [ACCESS], []],
      ["[..., request=*.html*, status_code=4*,]", [ACCESS], []],
      ["[ip=%127\\.0\\.0\\.[1-9]%, ...]", [ACCESS], []],
      ["[ip, user, ..., status_code, bytes]", [ACCESS, "1 2 3 4"], ["1 2 3"]],
      ["[ip, ...]", [ACCESS, "x"], [""]],
      ["[w1=ERROR, w2]", ["ERROR message"], ["ERROR WARN message", "WARN message"]],
      ["[w1!=ERROR&&w1!=WARN, w2]", ["INFO message"], ["ERROR message"]],
      ['[timestamp=*Z, request_id="*-*", event]', ["1Z a-b x"], ["1Z ab x"]],
      ["[a, b]", ["[x y", '"x y', "[x y] z"], ["[x y]"]],
    ]);
    assert.deepEqual(parseFilterPattern("[..., request=*.html*, status=4*,]").extract(ACCESS), {
      $1: "127.0.0.1",
      $2: "-",
      $3: "frank",
      $4: "10/Oct/2000:13:25:15 -0700",
      $request: "GET /index.html HTTP/1.0",
      $status: "404",
      $7: "1534",
    });
  });

  test("what cannot be read is refused by name", () => {
    for (const [pattern, message] of [
      ["email@domain.com", "Invalid character(s) in term 'email@domain.com'"],
      ['""', "Invalid character(s) in term '\"\"'"],
      ["?", "Invalid character(s) in term"],
      ['"open', "quotation mark"],
      ["%open", "not closed by %"],
      ["%a%b%", "Invalid character(s)"],
      ["%(a)%", "Invalid character(s) in term '%(a)%'"],
      ["%something!%", "Invalid character(s)"],
      ["%é%", "Invalid character(s)"],
      ["%%", "Invalid character(s)"],
      ["%*a%", "malformed"],
      ["%a**%", "malformed"],
      ["%[z-a]%", "malformed"],
      ["%[abc%", "malformed"],
      ["%a{2,1}%", "malformed"],
      ["%\\q%", "malformed"],
      ["%a\\%", "malformed"],
      ["%a{900}b{900}%", "too large"],
      ["%a% %b% %c%", "more than 2"],
      ["{ $.a = 1", "must end with '}'"],
      ["{ }", "Invalid character(s)"],
      ["{ a = 1 }", "Invalid character(s) in term 'a'"],
      ["{ $.a }", "no comparison"],
      ["{ $.a EXISTS }", "no comparison"],
      ["{ $.a IS NOT NULL }", "no comparison"],
      ["{ $. = 1 }", "names no property"],
      ["{ $ = 1 }", "names no property"],
      ["{ $.a[x] = 1 }", "neither a number"],
      ["{ $.a[1 = 1 }", "not closed"],
      ["{ $.*.* = 1 }", "wildcard"],
      ["{ $.a > x }", "numbers only"],
      ["{ ($.a = 1 }", "parenthesis"],
      ["{ $.a = 1 $.b = 2 }", "Invalid character(s) in term '$.b'"],
      [`{ ${"(".repeat(40)}$.a = 1${")".repeat(40)} }`, "too deeply"],
      ["[a, b", "must end with ']'"],
      ["[..., a, ...]", "more than one"],
      ["[a = ]", "Invalid character(s)"],
      ["[a = 1 && b = 2]", "names b"],
      ["[a > x]", "numbers only"],
    ] as const) {
      assert.throws(
        () => parseFilterPattern(pattern),
        (error) =>
          error instanceof ApiError &&
          error.code === "InvalidParameterException" &&
          error.message.startsWith("Invalid filter pattern") &&
          error.message.includes(message),
        pattern,
      );
    }
  });
});
