import { advice } from "../../remote/advice";

/** Why `init` cannot continue, and what to do. */
export interface InitProblem {
  readonly cause: string;
  readonly next: string;
}

/** All problems at once. */
export class InitError extends Error {
  constructor(readonly problems: readonly InitProblem[]) {
    super(problems.map(({ cause, next }) => advice(cause, next)).join("\n"));
  }
}

/** Collects problems, so that the user sees all of them at once. */
export class Problems {
  private readonly found: InitProblem[] = [];

  /** Adds a problem, and returns a value to continue with. */
  add<T>(cause: string, next: string, instead: T): T {
    this.found.push({ cause, next });
    return instead;
  }

  /** @throws InitError if there is one */
  check(): void {
    if (this.found.length > 0) throw new InitError(this.found);
  }
}
