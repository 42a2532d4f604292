import { assert } from "../lib/errors.ts";
import type { LateService, Operation, OperationTable, Refusal, Service } from "./service.ts";
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
  #operations: Promise<OperationTable> | undefined;
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

  /** The row of an operation; `undefined` when only AWS has it. Rejects when the service cannot be loaded. */
  async operation(name: string): Promise<Operation | Refusal | undefined> {
    this.#operations ??= this.#load();
    const operations = await this.#operations;
    return Object.hasOwn(operations, name) ? operations[name] : undefined;
  }

  async #load(): Promise<OperationTable> {
    if (this.#service === undefined) return {};
    if (!("load" in this.#service)) return this.#service.operations;
    try {
      const service = await this.#service.load();
      const [loaded, named] = [service, this.#service].map(anonymousOperations);
      assert(
        `${loaded}` === `${named}`,
        `${service.name} has other anonymous operations: ${loaded}`,
      );
      return service.operations;
    } catch (error) {
      this.#operations = undefined;
      throw error;
    }
  }
}
