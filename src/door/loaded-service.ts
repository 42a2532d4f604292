import { assert } from "../lib/errors.ts";
import type { LateService, OperationTable, Service } from "./service.ts";
import { loadShapes, type ServiceRow } from "./service-table.ts";
import type { ServiceShapes } from "./shape.ts";
import { RestRoutes } from "./wire/rest-routes.ts";

/** The operations of a service that need no signature. */
export function anonymousOperations(service: Service | LateService): readonly string[] {
  if ("load" in service) return service.anonymous ?? [];
  return Object.entries(service.operations).flatMap(([name, operation]) =>
    operation !== undefined && "access" in operation && operation.access === "anonymous"
      ? [name]
      : [],
  );
}

/** A service of the table as a gateway keeps it: its handlers, if any, and its shapes, each once they are needed. */
export class LoadedService {
  readonly row: ServiceRow;
  readonly #service: Service | LateService | undefined;
  #operations: OperationTable | Promise<OperationTable> | undefined;
  #shapes: ServiceShapes | undefined;
  #restRoutes: RestRoutes | undefined;

  constructor(row: ServiceRow, service: Service | LateService | undefined) {
    this.row = row;
    this.#service = service;
  }

  get shapes(): ServiceShapes {
    this.#shapes ??= loadShapes(this.row.name);
    return this.#shapes;
  }

  get restRoutes(): RestRoutes {
    this.#restRoutes ??= new RestRoutes(this.shapes);
    return this.#restRoutes;
  }

  /** What the service does: at once when its code is loaded. Rejects when it cannot be. */
  get operations(): OperationTable | Promise<OperationTable> {
    this.#operations ??= this.#readOperations();
    return this.#operations;
  }

  #readOperations(): OperationTable | Promise<OperationTable> {
    if (this.#service === undefined) return {};
    return "load" in this.#service ? this.#load(this.#service) : this.#service.operations;
  }

  async #load(late: LateService): Promise<OperationTable> {
    try {
      const service = await late.load();
      const [loaded, named] = [service, late].map(anonymousOperations);
      assert(
        `${loaded}` === `${named}`,
        `${service.name} has other anonymous operations: ${loaded}`,
      );
      this.#operations = service.operations;
      return service.operations;
    } catch (error) {
      this.#operations = undefined;
      throw error;
    }
  }
}
