/** Docker's Engine API on a socket. */
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";

/** The second number of the API's version: Docker 20.10's. Whoever asks for another says so. */
const MINOR_DEFAULT = 41;

export class DockerClient {
  readonly #socketPath: string;
  #minorMin: number | undefined;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /**
   * One request with a JSON body. `version`: of the API, e.g. `1.21`; an older one than the daemon speaks is raised to its least, as
   * amazon-ecs-agent does. Throws with what Docker says of a refusal.
   */
  async call<T = unknown>(
    method: string,
    path: string,
    body?: object,
    version: string = `1.${MINOR_DEFAULT}`,
  ): Promise<T> {
    const answer = await this.#send(
      method,
      `/v1.${await this.#minor(Number(version.slice(2)))}${path}`,
      body === undefined ? "" : JSON.stringify(body),
    );
    return (/^[[{]/.test(answer) ? JSON.parse(answer) : answer) as T;
  }

  /** Loads the images of a `docker save` archive. */
  async load(archive: string): Promise<void> {
    const path = `/v1.${await this.#minor(MINOR_DEFAULT)}/images/load`;
    await this.#send("POST", path, createReadStream(archive));
  }

  async #minor(asked: number): Promise<number> {
    if (this.#minorMin === undefined) {
      const { MinAPIVersion } = JSON.parse(await this.#send("GET", "/version", ""));
      this.#minorMin = Number(String(MinAPIVersion).slice(2));
    }
    return Math.max(asked, this.#minorMin);
  }

  async #send(
    method: string,
    path: string,
    body: string | ReturnType<typeof createReadStream>,
  ): Promise<string> {
    const contentType = typeof body === "string" ? "application/json" : "application/x-tar";
    const call = request({
      socketPath: this.#socketPath,
      method,
      path,
      headers: { host: "docker", "content-type": contentType },
    });
    const answered = once(call, "response");
    // Node sends a GET's or DELETE's body without its length; an empty one is none.
    if (typeof body === "string") call.end(body);
    else await pipeline(body, call);
    const [response] = await answered;
    const said = await text(response);
    if (response.statusCode >= 400) throw new Error(`${method} ${path}: ${said}`);
    return said;
  }
}
