/** For the person who watches the run. */
export const log = (line: string): boolean => process.stderr.write(`${line}\n`);

/** Does something, and logs how long it took. */
export async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const start = Date.now();
  const result = await work();
  log(`${what}: ${((Date.now() - start) / 1000).toFixed(1)} s`);
  return result;
}
