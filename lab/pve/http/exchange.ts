/** One request and its answer, even if it was interrupted. Tests check it against the official schema. */
export interface Exchange {
  readonly method: string;
  /** Path below `/api2/json`, still encoded, without the query. */
  readonly path: string;
  /** Query and body together; undefined if the request could not be read. */
  readonly params?: Readonly<Record<string, unknown>>;
  /** Empty if the request was refused before its user was known. */
  readonly user: string;
  readonly status: number;
  /** The reason phrase of the status line. */
  readonly reason: string;
  /** The parsed body. */
  readonly body: unknown;
}

/** A request before it is handled. */
export type Incoming = Pick<Exchange, "method" | "path" | "params" | "user">;

/**
 * Runs before an authenticated request is handled. It may wait, throw an `ApiError` as the answer, return `"drop"` to cut
 * the connection, or `"drop-answer"` to cut it when the work is done.
 */
export type RequestHook = (request: Incoming) => Promise<void | "drop" | "drop-answer">;
