import { parseDocument } from "yaml";

/**
 * Changes K3s' own kubeconfig for use on another machine: the server's address instead of loopback, and the cluster's name
 * instead of `default`, so that it can be merged with others.
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
