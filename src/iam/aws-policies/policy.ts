import type { StatementJson } from "./statements.ts";

/** A managed policy of AWS, as the table has it. */
export interface AwsPolicySource {
  readonly name: string;
  readonly path: "/" | "/service-role/" | "/aws-service-role/" | "/job-function/";
  readonly description: string;
  readonly statements: readonly StatementJson[];
}
