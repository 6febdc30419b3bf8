/** Counts by name. */
export class Counts {
  private readonly times = new Map<string, number>();

  add(what: string): void {
    this.times.set(what, this.of(what) + 1);
  }

  of(what: string): number {
    return this.times.get(what) ?? 0;
  }

  /** One line for each name. */
  get lines(): string[] {
    return [...this.times].sort(([a], [b]) => (a < b ? -1 : 1)).map(([what, times]) => `${what}: ${times}`);
  }
}
