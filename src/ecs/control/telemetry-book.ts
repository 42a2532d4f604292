import { ContainerMetricsBook } from "./container-metrics.ts";
import { InstanceHealthBook } from "./instance-health.ts";

/** What agents have last published, for whoever reads it. */
export class TelemetryBook {
  readonly containers: ContainerMetricsBook = new ContainerMetricsBook();
  readonly instances: InstanceHealthBook = new InstanceHealthBook();
}
