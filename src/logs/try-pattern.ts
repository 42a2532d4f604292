import type {
  TestMetricFilterRequest,
  TestMetricFilterResponse,
} from "@aws-sdk/client-cloudwatch-logs";
import type { LogsDeps } from "./deps.ts";
import { parseFilterPattern } from "./filter-pattern/filter-pattern.ts";
import { checkFilterPattern, constraintViolation } from "./validate.ts";

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TestMetricFilter.html */
const MESSAGES_MAX = 50;

/** Says which messages a filter pattern matches. Throws InvalidParameterException. */
export async function testMetricFilter(
  _deps: LogsDeps,
  { filterPattern, logEventMessages = [] }: TestMetricFilterRequest,
): Promise<TestMetricFilterResponse> {
  if (logEventMessages.length === 0 || logEventMessages.length > MESSAGES_MAX) {
    const rule = `Member must have length between 1 and ${MESSAGES_MAX}`;
    throw constraintViolation("[…]", "logEventMessages", rule);
  }
  if (logEventMessages.includes("")) {
    const rule = "Member must have length greater than or equal to 1";
    throw constraintViolation("", "logEventMessages", rule);
  }
  const { matches, extract } = parseFilterPattern(
    checkFilterPattern(filterPattern, "filterPattern"),
  );
  return {
    matches: logEventMessages.flatMap((eventMessage, index) =>
      matches(eventMessage)
        ? [{ eventNumber: index + 1, eventMessage, extractedValues: { ...extract(eventMessage) } }]
        : [],
    ),
  };
}
