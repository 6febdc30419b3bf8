import { type Document, isMap, isSeq, parseDocument } from "yaml";

/**
 * Puts a cluster's kubeconfig into one that may have others. Entries of the same name are replaced; everything else stays, with
 * its comments. The current context stays too, if there is one.
 * @param into the user's file; empty if there is none
 * @param fresh as {@link renameKubeconfig} gives it: cluster, user and context have the cluster's name
 * @throws Error if the file is not a kubeconfig, or if an entry of this name belongs to another cluster
 */
export function mergeKubeconfig(into: string, fresh: string): string {
  const [from, doc] = [parseDocument(fresh), parseDocument(into.trim() === "" ? EMPTY : into)];
  const name = String(from.get("current-context"));
  if (doc.errors.length > 0 || !isMap(doc.contents)) throw new Error("it is not a kubeconfig");
  const [there, own] = [entry(doc, "clusters", name), entry(from, "clusters", name)];
  const differs = (key: string): boolean => there?.getIn(["cluster", key]) !== own?.getIn(["cluster", key]);
  if (there && differs("server") && differs("certificate-authority-data"))
    throw new Error(`its cluster ${name} is another one, at ${String(there.getIn(["cluster", "server"]))}`);
  for (const list of ["clusters", "users", "contexts"]) {
    const seq = doc.get(list, true);
    if (!isSeq(seq)) doc.set(list, doc.createNode([]));
    const index = indexOf(doc, list, name);
    const value = doc.createNode(entry(from, list, name)?.toJSON() as unknown);
    if (index < 0) doc.addIn([list], value);
    else doc.setIn([list, index], value);
  }
  if (!doc.get("current-context")) doc.set("current-context", name);
  return doc.toString({ lineWidth: 0 });
}

const EMPTY = "apiVersion: v1\nkind: Config\n";

function indexOf(doc: Document, list: string, name: string): number {
  const seq = doc.get(list, true);
  return isSeq(seq) ? seq.items.findIndex((item) => isMap(item) && item.get("name") === name) : -1;
}

function entry(doc: Document, list: string, name: string) {
  const index = indexOf(doc, list, name);
  const found = index < 0 ? undefined : doc.getIn([list, index], true);
  return isMap(found) ? found : undefined;
}
