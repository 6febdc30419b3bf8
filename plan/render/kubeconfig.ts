import { parseDocument } from "yaml";

/**
 * K3s' own kubeconfig for use elsewhere: the server's address in place of loopback, and the cluster's name in place of
 * `default`, so that it merges with others.
 */
export function renameKubeconfig(text: string, name: string, endpoint: string): string {
  const doc = parseDocument(text);
  doc.setIn(["clusters", 0, "cluster", "server"], endpoint);
  doc.setIn(["clusters", 0, "name"], name);
  doc.setIn(["users", 0, "name"], name);
  doc.setIn(["contexts", 0, "name"], name);
  doc.setIn(["contexts", 0, "context", "cluster"], name);
  doc.setIn(["contexts", 0, "context", "user"], name);
  doc.set("current-context", name);
  return doc.toString();
}
