/** Something that happens outside the program: a script, a request to the API, a change of a machine. */
export interface Entry {
  /** `k3s-master-claim create` for a script, `POST /nodes/pve/lxc` for a request, `guest 100 start` for a machine. */
  readonly what: string;
  readonly kind: "script" | "request" | "machine";
  /** Position in the common order of all beginnings and ends. */
  readonly began: number;
  ended?: number;
  /** Error of a script that failed. */
  failure?: string;
}

/** Everything that a program does to its environment, in one order. */
export class Journal {
  readonly entries: Entry[] = [];
  /** Called with each entry as soon as it begins. */
  watch: (entry: Entry) => void = () => {};
  private clock = 0;

  begin(kind: Entry["kind"], what: string): Entry {
    const entry: Entry = { kind, what, began: ++this.clock };
    this.entries.push(entry);
    this.watch(entry);
    return entry;
  }

  end(entry: Entry): void {
    entry.ended = ++this.clock;
  }

  /** The entries' names, in the order in which they began. */
  whats(kind?: Entry["kind"]): string[] {
    return this.entries.filter((entry) => kind === undefined || entry.kind === kind).map(({ what }) => what);
  }

  /** The only entry with this name. @throws Error if there is none, or more than one */
  the(what: string): Entry & { readonly ended: number } {
    const [entry, ...others] = this.entries.filter((each) => each.what === what);
    if (!entry || others.length > 0)
      throw new Error(`"${what}" is ${entry ? `${others.length + 1} times` : "not"} in:\n${this.whats().join("\n")}`);
    if (entry.ended === undefined) throw new Error(`"${what}" has not ended`);
    return entry as Entry & { readonly ended: number };
  }

  /** Whether each entry ended before the next began. @throws Error as {@link the} does */
  inOrder(...whats: string[]): boolean {
    const entries = whats.map((what) => this.the(what));
    return entries.every((entry, at) => at === 0 || entries[at - 1]!.ended < entry.began);
  }

  /** Whether the two ran at the same time. @throws Error as {@link the} does */
  overlap(one: string, other: string): boolean {
    const [a, b] = [this.the(one), this.the(other)];
    return a.began < b.ended && b.began < a.ended;
  }

  clear(): void {
    this.entries.length = 0;
  }
}
