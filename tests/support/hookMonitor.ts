type Answer = (error: unknown, answer: unknown) => void;

/** Pulumi's test monitor rejects hooks (pulumi/pulumi#20874). With this it accepts them, and runs none. */
export function acceptHooks(testMonitor: unknown): void {
  const monitor = testMonitor as Record<string, (request: unknown, callback: Answer) => void>;
  for (const register of ["registerResourceHook", "registerErrorHook"])
    monitor[register] = (_request, callback) => callback(null, {});
}
