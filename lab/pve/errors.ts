/**
 * An answer other than 200. PVE puts the message into the reason phrase of the status line as well as into the body, and
 * clients read it there.
 */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** Problem by parameter, for 400. */
    readonly errors?: Readonly<Record<string, string>>,
  ) {
    super(message);
  }
}

/** A plain Perl `die` of the real API: 500 with the text. */
export function failure(message: string): ApiError {
  return new ApiError(500, message);
}

/** A task's work throws it when its worker is killed: nothing is undone, and the task has no outcome. */
export class WorkerKilled extends Error {
  constructor() {
    super("the worker was killed");
  }
}

/** `raise_param_exc`: one message for each parameter that is wrong. */
export function parameterError(errors: Readonly<Record<string, string>>): ApiError {
  return new ApiError(400, "Parameter verification failed.", errors);
}

/** `raise_perm_exc`; `what` is what the caller lacks, `/vms/101, VM.Allocate`. */
export function permissionDenied(what?: string): ApiError {
  return new ApiError(403, what ? `Permission check failed (${what})` : "Permission check failed");
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
