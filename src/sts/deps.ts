import type { WebIdentityTrust } from "../iam/model/trust.ts";
import type { Clock } from "../lib/clock.ts";
import type { Cache } from "../store/cache.ts";
import type { JsonWebKeySet } from "./jwt.ts";
import type { Sessions } from "./session.ts";

/**
 * The keys of an identity provider, by its URL without `https://`. Throws IDPCommunicationError when they cannot be
 * had now.
 */
export type FindProviderKeys = (providerUrl: string) => Promise<JsonWebKeySet>;

/** What the operations of STS work with. */
export interface StsDeps {
  readonly cache: Cache;
  readonly clock: Clock;
  readonly sessions: Sessions;
  readonly webIdentityTrust: WebIdentityTrust;
  /** Whether an account can use the managed policy of that ARN: one of its own, or of AWS. */
  readonly canUsePolicy: (accountId: string, arn: string) => boolean;
  readonly findProviderKeys: FindProviderKeys;
}
