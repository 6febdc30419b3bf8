/** Something that happened on the other side of the program: a script, a request to the API, a machine's change. */
export interface Entry {
  /** `k3s-master-claim create` for a script, `POST /nodes/pve/lxc` for a request, `guest 100 start` for a machine. */
  readonly what: string;
  readonly kind: "script" | "request" | "machine";
  /** Place in the one order of all beginnings and ends. */
  readonly began: number;
  ended?: number;
  /** What a script that failed said. */
  failure?: string;
}

/** The one order of everything that a program does to the world around it. */
export class Journal {
  readonly entries: Entry[] = [];
  /** Told of everything that begins, at once. */
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

  /** What happened, in the order of its beginning. */
  whats(kind?: Entry["kind"]): string[] {
    return this.entries.filter((entry) => kind === undefined || entry.kind === kind).map(({ what }) => what);
  }

  /** The one entry of this name. @throws when there is none, or more than one. */
  the(what: string): Entry & { readonly ended: number } {
    const [entry, ...others] = this.entries.filter((each) => each.what === what);
    if (!entry || others.length > 0)
      throw new Error(`"${what}" is ${entry ? `${others.length + 1} times` : "not"} in:\n${this.whats().join("\n")}`);
    if (entry.ended === undefined) throw new Error(`"${what}" has not ended`);
    return entry as Entry & { readonly ended: number };
  }

  /** Whether each ended before the next began. @throws as {@link the} does. */
  inOrder(...whats: string[]): boolean {
    const entries = whats.map((what) => this.the(what));
    return entries.every((entry, at) => at === 0 || entries[at - 1]!.ended < entry.began);
  }

  /** Whether the two ran at the same time for a while. @throws as {@link the} does. */
  overlap(one: string, other: string): boolean {
    const [a, b] = [this.the(one), this.the(other)];
    return a.began < b.ended && b.began < a.ended;
  }

  clear(): void {
    this.entries.length = 0;
  }
}
